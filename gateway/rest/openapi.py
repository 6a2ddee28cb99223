"""The OpenAPI document of the table of routes. See https://spec.openapis.org/oas/v3.1.1.html."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from google.protobuf.descriptor import Descriptor
from parley.auth.v1.user_pb2 import User
from parley.chat.v1.chat_pb2 import Conversation, Message
from parley.notify.v1.notification_pb2 import Notification

from gateway.rest.operation import Group, Operation
from gateway.rest.schemas import FAILURE, answers
from gateway.wire.json_objects import Object

_SIGN_IN: Final = frozenset({"logIn", "refreshTokens", "exchangeToken"})
_DESCRIPTION: Final = (
    "Chat for the users of a CRM. Times are RFC 3339 in UTC, integers are below 2^53, and unknown fields are ignored. "
    "Sign in to get an access token, and send it as `Authorization: Bearer <token>`."
)
_FAILURES: Final = {
    400: "The request is invalid; `fields` names the invalid fields.",
    401: "The access token or the credentials are missing, wrong or expired.",
    403: "The caller lacks permission.",
    404: "The resource does not exist, or the caller may not see it.",
    409: "The request conflicts with the present state.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not JSON.",
    429: "Too many requests; `Retry-After` says when to try again.",
    500: "An unexpected error; the message has the incident id for the operators.",
    503: "A part of the system is unavailable; `Retry-After` says when to try again.",
}
_HEADERS: Final = {
    401: {"WWW-Authenticate": {"description": "The authentication scheme.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "The wait in seconds.", "schema": {"type": "integer"}}},
    503: {"Retry-After": {"description": "The wait in seconds.", "schema": {"type": "integer"}}},
}


def document(groups: Sequence[Group], version: str) -> Object:
    """Returns the document.

    Args:
        groups: the table.
        version: of the program.
    """
    paths: dict[str, Object] = {}
    for group in groups:
        for operation in group.operations:
            paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, group.name)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Parley",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": group.name, "description": group.summary} for group in groups],
        "paths": paths,
        "components": {
            "schemas": {"Failure": FAILURE, **answers(_messages(groups))},
            "securitySchemes": {"accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _messages(groups: Sequence[Group]) -> Iterator[Descriptor]:
    """Returns the messages that answers refer to."""
    for group in groups:
        for operation in group.operations:
            yield from operation.messages
    yield from (User.DESCRIPTOR, Conversation.DESCRIPTOR, Message.DESCRIPTOR, Notification.DESCRIPTOR)


def _operation(operation: Operation, tag: str) -> Object:
    described: Object = {"operationId": operation.name, "summary": operation.summary, "tags": [tag]}
    if parameters := [*_path_parameters(operation.path), *operation.parameters]:
        described["parameters"] = parameters
    if operation.body is not None:
        required = bool(operation.body.get("required"))
        described["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": operation.body}},
        }
    described["responses"] = {str(operation.status): _success(operation)} | {
        str(status): _failure(status) for status in sorted(failures_of(operation))
    }
    described["security"] = [] if operation.public else [{"accessToken": []}]
    return described


def failures_of(operation: Operation) -> set[int]:
    """Returns the statuses of the failures that an operation may answer."""
    failures = {429, 500, 503}
    if operation.name in _SIGN_IN:
        failures.add(401)
    if not operation.public:
        failures |= {401, 403}
    if operation.parameters:
        failures.add(400)
    if operation.body is not None:
        failures |= {400, 404, 409, 413, 415}
    if "{" in operation.path:
        failures |= {400, 404, 409}
    return failures


def _path_parameters(path: str) -> Iterator[Object]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _success(operation: Operation) -> Object:
    if isinstance(operation.answer, str):
        return {"description": "Done.", "content": {operation.answer: {"schema": {"type": "string"}}}}
    description = operation.answer.get("description") or "Done."
    return {"description": description, "content": {"application/json": {"schema": operation.answer}}}


def _failure(status: int) -> Object:
    described: Object = {
        "description": _FAILURES[status],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
    }
    if status in _HEADERS:
        described["headers"] = _HEADERS[status]
    return described
