"""A change to manifests, and the policy that must find it."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.k8s.edits import CONTAINER, Edit, Path, put
from tests.k8s.policies import Policy


class Mutation(NamedTuple):
    """A change to an overlay, and the policy that must find it."""

    policy: Policy
    edit: Edit
    overlay: str = "staging"


def in_deployment(name: str, path: Path, value: Any) -> Edit:
    """Sets the value at a path of a Deployment."""
    return put("Deployment", name, path, value)


def in_container(name: str, path: Path, value: Any) -> Edit:
    """Sets the value at a path of a Deployment's container."""
    return put("Deployment", name, (*CONTAINER, *path), value)


def in_network(name: str, path: Path, value: Any) -> Edit:
    """Sets the value at a path of a NetworkPolicy's specification."""
    return put("NetworkPolicy", name, ("spec", *path), value)
