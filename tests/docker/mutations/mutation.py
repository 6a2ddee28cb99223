"""A change to the plan, and the policy that has to notice it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.docker.plan import Plan
from tests.docker.policies import Policy

Edit = Callable[[Plan], None]
Path = tuple[str | int, ...]


class Mutation(NamedTuple):
    """A change, and who notices it."""

    policy: Policy
    edit: Edit


def instruct(before: str, after: str) -> Edit:
    """Changes the Dockerfile's text."""

    def edit(plan: Plan) -> None:
        plan.dockerfile = _replaced(plan.dockerfile, before, after)

    return edit


def ignore(before: str, after: str) -> Edit:
    """Changes what does not reach the build."""

    def edit(plan: Plan) -> None:
        plan.ignore = _replaced(plan.ignore, before, after)

    return edit


def put(name: str, path: Path, value: Any) -> Edit:
    """Sets what is at a path of one container."""

    def edit(plan: Plan) -> None:
        _place(plan.containers[name], path[:-1])[path[-1]] = value

    return edit


def drop(name: str, path: Path) -> Edit:
    """Removes what is at a path of one container."""

    def edit(plan: Plan) -> None:
        del _place(plan.containers[name], path[:-1])[path[-1]]

    return edit


def open_network(name: str) -> Edit:
    """Lets a network reach what is outside."""

    def edit(plan: Plan) -> None:
        plan.compose["networks"][name] = {}

    return edit


def _place(found: Any, path: Path) -> Any:
    for step in path:
        found = found[step]
    return found


def _replaced(text: str, before: str, after: str) -> str:
    if before not in text:
        raise LookupError(f"there is no {before!r}")
    return text.replace(before, after)
