"""The OpenAPI document of the table of routes. See https://spec.openapis.org/oas/v3.1.1.html."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from gateway.rest.operation import Group, Nothing, Operation
from gateway.rest.schemas import Failure
from gateway.wire.json_objects import Object

_REFERENCE: Final = "#/components/schemas/{name}"
_DESCRIPTION: Final = (
    "People and agents talk here. Times are RFC 3339 in UTC; integers are below 2^53; unknown fields are ignored. "
    "Sign in for a token, and show it as `Authorization: Bearer <token>`."
)
_FAILURES: Final = {
    400: "The request is wrong; fields says where.",
    401: "The access token, or what was shown instead of one, is missing, wrong or expired.",
    403: "The caller may not.",
    404: "There is no such thing, as far as the caller may know.",
    409: "What is there already stands in the way.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not JSON.",
    429: "Too much at once; Retry-After says when to come back.",
    500: "An unexpected error; the message holds the incident's id for the operators.",
    503: "A part of the system can't be reached now.",
}
_HEADERS: Final = {
    401: {"WWW-Authenticate": {"description": "The kind of token.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "In seconds.", "schema": {"type": "integer"}}},
    503: {"Retry-After": {"description": "In seconds.", "schema": {"type": "integer"}}},
}


def document(groups: Sequence[Group], version: str) -> Object:
    """Makes the document.

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
            "schemas": _schemas(groups),
            "securitySchemes": {"accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(operation: Operation[Any, Any], tag: str) -> Object:
    made: Object = {"operationId": operation.name, "summary": operation.summary, "tags": [tag]}
    if parameters := [*_path_parameters(operation.path), *_query_parameters(operation.query)]:
        made["parameters"] = parameters
    if operation.body is not Nothing:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(operation.body)}}}
    made["responses"] = {str(operation.status): _success(operation)} | {
        str(status): _failure(status) for status in sorted(failures_of(operation))
    }
    made["security"] = [] if operation.public else [{"accessToken": []}]
    return made


def failures_of(operation: Operation[Any, Any]) -> set[int]:
    """The statuses of the failures that an operation may answer."""
    failures = {429, 500, 503, *operation.failures}
    if not operation.public:
        failures.add(401)
    if operation.query is not Nothing:
        failures.add(400)
    if operation.body is not Nothing:
        failures |= {400, 413, 415}
    if "{" in operation.path:
        failures |= {400, 404}
    return failures


def _path_parameters(path: str) -> Iterator[Object]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(shape: type[msgspec.Struct]) -> Iterator[Object]:
    (_, components) = msgspec.json.schema_components([shape])
    schema = components[shape.__name__]
    for name, property_ in schema["properties"].items():
        inner = _without_null(property_)
        made = {"name": name, "in": "query", "required": name in schema.get("required", ())}
        if "description" in inner:
            made["description"] = inner.pop("description")
        yield {**made, "schema": inner}


def _without_null(schema: Object) -> Object:
    """A query can't say null: what may be null in Python may be left out here."""
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    return dict(options[0]) if len(options) == 1 else dict(schema)


def _success(operation: Operation[Any, Any]) -> Object:
    if isinstance(operation.answer, str):
        return {"description": "Done.", "content": {operation.answer: {"schema": {"type": "string"}}}}
    description = (operation.answer.__doc__ or "Done.").strip()
    schema = _ref(operation.answer)
    if "dialect" in operation.query.__struct_fields__:
        schema = {"anyOf": [schema, {"type": "object", "description": "With `dialect`: as that front-end has it."}]}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _failure(status: int) -> Object:
    made: Object = {
        "description": _FAILURES[status],
        "content": {"application/json": {"schema": _ref(Failure)}},
    }
    if status in _HEADERS:
        made["headers"] = _HEADERS[status]
    return made


def _ref(shape: type[msgspec.Struct]) -> Object:
    return {"$ref": _REFERENCE.format(name=shape.__name__)}


def _schemas(groups: Sequence[Group]) -> dict[str, Any]:
    shapes: list[type[msgspec.Struct]] = [Failure]
    for group in groups:
        for operation in group.operations:
            shapes += [shape for shape in (operation.body, operation.answer) if not isinstance(shape, str)]
    wanted = [shape for shape in dict.fromkeys(shapes) if shape is not Nothing]
    _, components = msgspec.json.schema_components(wanted, ref_template=_REFERENCE)
    return dict(sorted(components.items()))
