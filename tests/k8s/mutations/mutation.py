"""A change to manifests, and the policy that has to notice it."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.k8s.edits import CONTAINER, Edit, Path, put
from tests.k8s.policies import Policy


class Mutation(NamedTuple):
    """A change, and who notices it."""

    policy: Policy
    edit: Edit
    overlay: str = "staging"


def in_deployment(name: str, path: Path, value: Any) -> Edit:
    """Sets what is at a path of a Deployment."""
    return put("Deployment", name, path, value)


def in_container(name: str, path: Path, value: Any) -> Edit:
    """Sets what is at a path of a Deployment's container."""
    return put("Deployment", name, (*CONTAINER, *path), value)


def in_network(name: str, path: Path, value: Any) -> Edit:
    """Sets what is at a path of a NetworkPolicy's specification."""
    return put("NetworkPolicy", name, ("spec", *path), value)
