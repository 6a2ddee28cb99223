"""A change to the plan, and the policy that must find it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.docker.plan import Plan
from tests.docker.policies import Policy

Edit = Callable[[Plan], None]
Path = tuple[str | int, ...]


class Mutation(NamedTuple):
    """A change, and the policy that must find it."""

    policy: Policy
    edit: Edit


def instruct(before: str, after: str) -> Edit:
    """Replaces text in the Dockerfile."""

    def edit(plan: Plan) -> None:
        plan.dockerfile = _replaced(plan.dockerfile, before, after)

    return edit


def ignore(before: str, after: str) -> Edit:
    """Replaces text in .dockerignore."""

    def edit(plan: Plan) -> None:
        plan.ignore = _replaced(plan.ignore, before, after)

    return edit


def put(name: str, path: Path, value: Any) -> Edit:
    """Sets the value at a path of a container."""

    def edit(plan: Plan) -> None:
        _value_at(plan.containers[name], path[:-1])[path[-1]] = value

    return edit


def drop(name: str, path: Path) -> Edit:
    """Removes the value at a path of a container."""

    def edit(plan: Plan) -> None:
        del _value_at(plan.containers[name], path[:-1])[path[-1]]

    return edit


def open_network(name: str) -> Edit:
    """Makes a network external."""

    def edit(plan: Plan) -> None:
        plan.compose["networks"][name] = {}

    return edit


def _value_at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def _replaced(text: str, before: str, after: str) -> str:
    if before not in text:
        raise LookupError(f"no {before!r}")
    return text.replace(before, after)
