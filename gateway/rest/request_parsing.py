"""Reads what a request brings: its body, its query, its access token, and the address that it came from."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Any, Final

import msgspec
from google.protobuf.descriptor import Descriptor
from starlette.requests import Request

from chassis import identity
from chassis.contract.validator import invalid_fields
from chassis.errors import InvalidArgumentError, UnauthenticatedError
from gateway.rest.errors import BodyTooLargeError, UnsupportedMediaTypeError
from gateway.wire.json_reader import body_from_texts

MAX_BODY_BYTES: Final = 65_536
_JSON: Final = "application/json"


async def read_json(request: Request) -> dict[str, Any]:
    """Reads a JSON body; no body at all is an empty object.

    Raises:
        UnsupportedMediaTypeError: its media type is not JSON in UTF-8.
        BodyTooLargeError: it is over the limit; the rest of it is not read.
        InvalidArgumentError: MALFORMED_JSON: it is not a JSON object.
    """
    content = await _read_limited(request)
    if not content and "content-type" not in request.headers:
        return {}
    _check_media_type(request)
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgumentError("MALFORMED_JSON", "the body is not well-formed JSON") from None
    if not isinstance(body, dict):
        raise InvalidArgumentError("MALFORMED_JSON", "the body is not a JSON object")
    return body


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


def read_texts(request: Request, message: Descriptor) -> dict[str, Any]:
    """Reads the fields of a request from the query. Raises InvalidArgumentError for one that is given twice."""
    texts: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        texts.setdefault(name, []).append(value)
    return body_from_texts(texts, message)


def query_integer(request: Request, name: str, default: int, *, most: int) -> int:
    """Reads a positive integer of the query that no RPC has. Raises InvalidArgumentError."""
    text = query_text(request, name)
    if not text:
        return default
    if text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and 1 <= int(text) <= most:
        return int(text)
    raise invalid_fields({name: f"must be 1 to {most:,}"})


def query_choice(request: Request, name: str, choices: Collection[str]) -> str | None:
    """Reads one of some words from the query. Raises InvalidArgumentError."""
    text = query_text(request, name)
    if text and text not in choices:
        raise invalid_fields({name: "must be one of " + ", ".join(choices)})
    return text or None


def names_any(request: Request, names: Collection[str]) -> bool:
    """Reports whether the query has any of some parameters."""
    return any(name in request.query_params for name in names)


def query_text(request: Request, name: str) -> str:
    """Reads a text of the query; empty if it is not there. Raises InvalidArgumentError if it is given twice."""
    texts: list[str] = request.query_params.getlist(name)
    if len(texts) > 1:
        raise invalid_fields({name: "is given more than once"})
    return texts[0] if texts else ""


def bearer_token(request: Request) -> str:
    """The access token that the request shows. Raises UnauthenticatedError when it shows none."""
    authorization = request.headers.get("authorization", "")
    if not authorization:
        raise UnauthenticatedError("TOKEN_MISSING", "an access token is required")
    return identity.bearer_token(authorization)


def client_address(request: Request, trusted_proxies: int) -> str:
    """Returns the address that sent the request to the first of our proxies.

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
