"""An operation of the HTTP interface: what the table of routes, the endpoints and the OpenAPI document are made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from chassis.identity import Identity
from gateway.wire.json_objects import Object

Q = TypeVar("Q", bound=msgspec.Struct)
B = TypeVar("B", bound=msgspec.Struct)


class Nothing(msgspec.Struct, frozen=True):
    """No query parameters, or no body: what a request carries there is not read."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One request, checked, on its way to an operation's handler.

    Attributes:
        request: the request itself, for what only its headers say.
        path: the path's parameters, by name.
        query: the query's parameters.
        body: the JSON body.
        token: the caller's access token, verified; empty for public operations.
        identity: the caller; nobody for public operations.
    """

    request: Request
    path: Mapping[str, str]
    query: Q
    body: B
    token: str
    identity: Identity

    @property
    def user_id(self) -> str:
        """The caller; empty for public operations."""
        return self.identity.user_id


Handler = Callable[[Call[Q, B]], Awaitable[Object | Response]]


@dataclass(frozen=True, slots=True)
class Operation(Generic[Q, B]):
    """A row of the table of routes.

    Attributes:
        method: the HTTP method; GET answers HEAD as well.
        path: with parameters in braces.
        name: the operation's name in the OpenAPI document.
        summary: a sentence for those who read the document.
        handler: makes the one call inward; an Object becomes JSON, with `status`.
        query: what the query holds.
        body: what the JSON body holds.
        answer: the shape of the JSON answer, or the media type of another kind of answer.
        status: of the answer.
        public: whether it takes no access token.
        failures: statuses of failures beyond those that follow from the rest of the row.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler[Q, B]
    query: type[Q]
    body: type[B]
    answer: type[msgspec.Struct] | str
    status: int = 200
    public: bool = False
    failures: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Operations that belong together, as the document shows them."""

    name: str
    summary: str
    operations: Sequence[Operation[Any, Any]]
