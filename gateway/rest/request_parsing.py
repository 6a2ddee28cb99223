"""Reads what a request brings: its body, its query, its access token, and the address that it came from."""

from __future__ import annotations

import ipaddress
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request

from chassis import identity
from chassis.errors import InvalidArgumentError, UnauthenticatedError
from chassis.rpc.validation import FieldChecks
from gateway.rest.errors import BodyTooLargeError, UnsupportedMediaTypeError
from gateway.rest.fields import read_fields
from gateway.rest.operation import Nothing

S = TypeVar("S", bound=msgspec.Struct)

MAX_BODY_BYTES: Final = 65_536
_JSON: Final = "application/json"


async def read_body(request: Request, shape: type[S]) -> S:
    """Reads a JSON body.

    Raises:
        UnsupportedMediaTypeError: it is not said to be JSON in UTF-8.
        BodyTooLargeError: it is over the limit; the rest of it is not read.
        InvalidArgumentError: it is no JSON object, or fields of it are wrong.
    """
    if shape is Nothing:
        return shape()
    _check_media_type(request)
    try:
        raw = msgspec.json.decode(await _read_limited(request))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgumentError("MALFORMED_JSON", "the body is not well-formed JSON") from None
    if not isinstance(raw, dict):
        raise InvalidArgumentError("MALFORMED_JSON", "the body is not a JSON object")
    return read_fields(raw, shape)


def _check_media_type(request: Request) -> None:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.replace('"', "").replace(" ", "").lower()
    if media_type.strip().lower() != _JSON or charset not in {"", "charset=utf-8"}:
        raise UnsupportedMediaTypeError("UNSUPPORTED_MEDIA_TYPE", f"the body must be {_JSON}, in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaTypeError("UNSUPPORTED_ENCODING", "the body must not be compressed")


async def _read_limited(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> BodyTooLargeError:
    return BodyTooLargeError("BODY_TOO_LARGE", f"the body is larger than {MAX_BODY_BYTES} bytes")


def read_query(request: Request, shape: type[S]) -> S:
    """Reads the query's parameters. Raises InvalidArgumentError with each that is wrong or given twice."""
    checks = FieldChecks()
    raw: dict[str, Any] = {}
    known = {field.encode_name for field in msgspec.structs.fields(shape)}
    for name, value in request.query_params.multi_items():
        if name in known:
            checks.require(name not in raw, name, "is given more than once")
            raw[name] = value
    checks.done()
    return read_fields(raw, shape, texts=True)


def bearer_token(request: Request) -> str:
    """The access token that the request shows. Raises UnauthenticatedError when it shows none."""
    authorization = request.headers.get("authorization", "")
    if not authorization:
        raise UnauthenticatedError("TOKEN_MISSING", "this takes an access token")
    return identity.bearer_token(authorization)


def client_address(request: Request, trusted_proxies: int) -> str:
    """The address of whoever sent the request to the first of our proxies.

    Each proxy appends the address of its own peer to X-Forwarded-For, so with n proxies of ours the n-th entry from
    the right is the last one that the client could not make up. Where there are fewer entries, the request came by
    a shorter way, and the leftmost one was written by us.

    Args:
        request: the request.
        trusted_proxies: how many proxies of ours stand in front; with 0 the header is not believed at all.
    """
    peer = request.client.host if request.client is not None else ""
    entries = [entry.strip() for line in request.headers.getlist("x-forwarded-for") for entry in line.split(",")]
    believed = entries[-trusted_proxies:] if trusted_proxies else []
    return _canonical(believed[0]) or peer if believed else peer


def _canonical(address: str) -> str:
    try:
        return ipaddress.ip_address(address.strip("[]")).compressed
    except ValueError:
        return ""
