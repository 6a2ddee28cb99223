"""An operation of the HTTP interface: what the routes, the endpoints and the OpenAPI document are made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor
from starlette.requests import Request
from starlette.responses import Response

from chassis.identity import Identity
from gateway.wire.json_objects import Object

Schema = Mapping[str, Any]
"""A JSON schema, as OpenAPI 3.1 takes it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted request, on its way to an operation's handler.

    Attributes:
        request: the request itself; the path's parameters are in it.
        token: the caller's access token, verified; empty for public operations.
        identity: the caller; nobody for public operations.
    """

    request: Request
    token: str
    identity: Identity


Handler = Callable[[Call], Awaitable[Object | Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path.

    Attributes:
        method: the HTTP method; GET answers HEAD as well.
        path: with parameters in braces.
        name: the operation's name in the OpenAPI document.
        summary: a sentence for those who read the document.
        handler: makes the call inward; an Object becomes JSON, with `status`.
        parameters: the parameters of the query, as OpenAPI has them.
        body: the schema of the JSON body, if there is one.
        answer: the schema of the JSON answer, or the media type of another kind of answer.
        status: of the answer.
        public: whether it takes no access token.
        messages: the messages that `answer` refers to, besides those of the objects that all answers share.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    answer: Schema | str
    parameters: Sequence[Schema] = ()
    body: Schema | None = None
    status: int = 200
    public: bool = False
    messages: Sequence[Descriptor] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Operations that belong together, as the document shows them."""

    name: str
    summary: str
    operations: Sequence[Operation]
