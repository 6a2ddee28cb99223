"""The operations that follow from the contract: every RPC with an HTTP path, read and answered by its descriptors.

Where a path has parameters of its own besides, such as numbered pages or a front-end's shapes, a handler written by
hand stands in for it, and falls back on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from starlette.responses import Response

from chassis.contract.methods import REQUEST_ID, Binding, Method
from chassis.contract.validator import invalid_fields
from gateway.rest.endpoint import json_response
from gateway.rest.operation import Call, Operation, Schema
from gateway.rest.request_parsing import read_json, read_texts
from gateway.rest.schemas import body_of, comment_of, first_sentence, query_parameters, ref
from gateway.upstream.clients import Upstreams
from gateway.wire.json_objects import Object
from gateway.wire.json_reader import body_from_texts, read_request, request_fields
from gateway.wire.json_writer import writer_of

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
CREATED: Final = 201
_KEY: Final = re.compile(r"[\x21-\x7e]{1,64}")
_UNDERSCORE: Final = re.compile(r"_(\w)")


_IDEMPOTENCY_KEY: Final[Schema] = {
    "name": IDEMPOTENCY_HEADER,
    "in": "header",
    "required": False,
    "description": "Makes a repeat get the first outcome, for at least 24 hours; a requestId in the body wins.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$"},
}


class ContractOperation:
    """One RPC at one of its HTTP paths.

    Args:
        method: the RPC.
        binding: the path.
        upstreams: the services.
    """

    def __init__(self, method: Method, binding: Binding, upstreams: Upstreams) -> None:
        self._method = method
        self._binding = binding
        self._upstreams = upstreams
        self._write = writer_of(method.output)
        self._status = CREATED if method.name.startswith("Create") else 200

    async def handle(self, call: Call) -> Response:
        """Reads the request, makes the call, and answers in JSON."""
        response = await self.call(call)
        return self.respond(response, self._write(response))

    def respond(self, response: Any, answer: Object) -> Response:
        """Returns an answer with the status and headers of the operation."""
        return json_response(answer, self._status, self._location(response))

    async def call(
        self, call: Call, preset: Mapping[str, Any] | None = None, refused: Mapping[str, str] | None = None
    ) -> Any:
        """Reads the request and makes the call; for the arguments see `read_call`. Raises AppError."""
        request = await read_call(
            call, self._method.input, has_body=self._binding.has_body, preset=preset, refused=refused
        )
        return await call_upstream(self._upstreams, self._method, request, call.token)

    def _location(self, response: Any) -> dict[str, str]:
        """Returns the header that says where what was made is, below the path at which it was made."""
        if self._status != CREATED:
            return {}
        (resource,) = response.DESCRIPTOR.fields
        key = next(field.name for field in resource.message_type.fields if field.name.endswith("_id"))
        made = getattr(getattr(response, resource.name), key)
        return {"Location": f"{self._binding.path}/{quote(made, safe=':@')}"}

    def operation(self) -> Operation:
        """Returns the row of the table."""
        in_path = set(map(camel, self._binding.parameters))
        fields = [field for field in request_fields(self._method.input) if field.name not in in_path]
        fields = [field for field in fields if field.field.name != REQUEST_ID or self._binding.has_body]
        header = (_IDEMPOTENCY_KEY,) if self._method.has_request_id else ()
        return Operation(
            self._binding.verb,
            camel(self._binding.path),
            self._method.name[0].lower() + self._method.name[1:],
            first_sentence(comment_of(self._method.descriptor)),  # type: ignore[arg-type]  # it has a full name
            self.handle,
            answer=ref(self._method.output),
            parameters=(*(() if self._binding.has_body else query_parameters(fields)), *header),
            body=body_of(fields) if self._binding.has_body else None,
            status=self._status,
            messages=(self._method.output,),
        )


def contract_operations(methods: Iterable[Method], upstreams: Upstreams) -> list[ContractOperation]:
    """Returns the operations of all RPCs with a path."""
    return [ContractOperation(method, binding, upstreams) for method in methods for binding in method.bindings]


async def call_upstream(upstreams: Upstreams, method: Method, request: Message, token: str) -> Any:
    """Makes the call of an RPC for a user. Raises AppError."""
    conversation_id = method.conversation_of(request)
    return await upstreams.call(upstreams.method(method), request, token=token, conversation_id=conversation_id)


async def read_call(
    call: Call,
    request: Descriptor,
    *,
    has_body: bool,
    names: Mapping[str, str] | None = None,
    preset: Mapping[str, Any] | None = None,
    fallback: Mapping[str, Callable[[], Any]] | None = None,
    refused: Mapping[str, str] | None = None,
) -> Any:
    """Reads the request of an RPC from an HTTP request.

    Args:
        call: the HTTP request.
        request: the RPC's request.
        has_body: whether its fields come in a JSON body, not in the query.
        names: what this path calls fields that have another name in the contract.
        preset: fields that the path itself says.
        fallback: what gives the values of fields that the request leaves out.
        refused: names that this path refuses, each with the reason.

    Raises:
        AppError: as `read_json` and `read_request`.
    """
    fields = request_fields(request)
    body = await read_json(call.request) if has_body and fields else read_texts(call.request, request)
    if problems := {name: reason for name, reason in (refused or {}).items() if name in body}:
        raise invalid_fields(problems)
    for name, own in (names or {}).items():
        if own in body:
            body[name] = body.pop(own)
    in_path = {name: [text] for name, text in call.request.path_params.items()}
    body |= {**body_from_texts(in_path, request), **(preset or {})}
    for name, value_of in (fallback or {}).items():
        if body.get(name) is None:
            body[name] = value_of()
    if body.get("requestId") is None and any(field.field.name == REQUEST_ID for field in fields):
        body["requestId"] = idempotency_key(call)
    return read_request(body, request)


def idempotency_key(call: Call) -> str | None:
    """Returns the key in the request's header, if there is one. Raises InvalidArgumentError."""
    key: str | None = call.request.headers.get(IDEMPOTENCY_HEADER)
    if key is not None and _KEY.fullmatch(key) is None:
        raise invalid_fields({IDEMPOTENCY_HEADER: "must have 1 to 64 printable ASCII characters"})
    return key


def camel(name: str) -> str:
    """Returns a proto name, or a path with such names in it, in lowerCamelCase."""
    return _UNDERSCORE.sub(lambda match: match[1].upper(), name)
