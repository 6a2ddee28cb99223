"""A path of the HTTP interface: from a request to the operation that it asks for, and back to an answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chassis.errors import PermissionDeniedError
from chassis.identity import Identity, TokenVerifier
from gateway.rest.errors import MethodNotAllowedError, problem_response
from gateway.rest.operation import Call, Operation
from gateway.rest.request_parsing import bearer_token
from gateway.wire.json_objects import Object

NOBODY: Final = Identity("", "", "", (), "", "", "", frozenset(), 0.0)
"""Who calls public operations."""


class Endpoint:
    """All operations of one path, as an ASGI application.

    Args:
        operations: of one path.
        verifier: verifies callers' tokens.
    """

    def __init__(self, operations: Iterable[Operation], verifier: TokenVerifier) -> None:
        self._operations = {operation.method: operation for operation in operations}
        self._path = next(iter(self._operations.values())).path
        self._verifier = verifier
        if "GET" in self._operations:
            self._operations["HEAD"] = self._operations["GET"]  # the server leaves the body away
        self._allowed = ", ".join(sorted([*self._operations, "OPTIONS"]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, whatever comes of it."""
        request = Request(scope, receive)
        request.state.route = self._path
        try:
            response = await self._answer(request)
        except Exception as error:  # the edge is where every failure gets its form
            response = problem_response(error, route=self._path, request_id=request.state.request_id)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": self._allowed})
        operation = self._operations.get(request.method)
        if operation is None:
            raise MethodNotAllowedError(self._allowed)
        answer = await operation.handler(await self._admit(operation, request))
        return answer if isinstance(answer, Response) else json_response(answer, operation.status)

    async def _admit(self, operation: Operation, request: Request) -> Call:
        """Verifies the caller first: what is wrong with a request is no business of strangers."""
        if operation.public:
            return Call(request, "", NOBODY)
        token = bearer_token(request)
        identity = await self._verifier.verify(token)
        if not identity.user_id:
            raise PermissionDeniedError("USER_REQUIRED", "this is for users, not for services")
        return Call(request, token, identity)


def json_response(answer: Object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Returns an answer in JSON."""
    return Response(msgspec.json.encode(answer), status, headers, media_type="application/json")
