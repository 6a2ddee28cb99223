"""Whether an HTTP request may become a WebSocket: its path, its origin, its token, its subprotocols.

Pure: requests come as their parts, and refusals leave as errors, each with the HTTP status it has.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from chassis.errors import (
    AppError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from chassis.identity import Identity

PATH: Final = "/ws"
TOKEN_SUBPROTOCOL: Final = "base64url.bearer.authorization.parley."  # noqa: S105  # what a token is announced by
_BEARER: Final = "bearer "


class UpgradeRequest(NamedTuple):
    """What matters of a request.

    Attributes:
        target: the path, with the query if there is one.
        host: the Host header, or empty.
        origin: the Origin header, or None where there is none, as programs that are no browsers have none.
        authorization: the Authorization header, or empty.
        subprotocols: the Sec-WebSocket-Protocol headers.
    """

    target: str
    host: str
    origin: str | None
    authorization: str
    subprotocols: Iterable[str]


class Admission(NamedTuple):
    """The upgrade is granted: to whom, with what token, speaking what."""

    identity: Identity
    token: str
    subprotocol: str


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Decides about upgrades.

    Attributes:
        verify: returns who a token is of, at once. Raises AppError.
        allowed_origins: the origins from which browsers may come, besides the host that they connect to.
        spoken: the subprotocols that there are.
        keep_pace: lets one more through, or raises AppError.
    """

    verify: Callable[[str], Identity]
    allowed_origins: Collection[str]
    spoken: Collection[str]
    keep_pace: Callable[[], None] = lambda: None

    def admit(self, request: UpgradeRequest) -> Admission:
        """Grants an upgrade, or raises AppError; `status_of` says with what status."""
        if request.target.partition("?")[0] != PATH:
            raise NotFoundError("NOT_FOUND", f"WebSocket is at {PATH}")
        if not self._welcomes(request.origin, request.host):
            raise PermissionDeniedError("FOREIGN_ORIGIN", "pages of this origin may not connect")
        offered = [entry.strip() for header in request.subprotocols for entry in header.split(",")]
        token = _token(request.authorization, offered)
        identity = self.verify(token)
        if not identity.user_id:
            raise UnauthenticatedError("TOKEN_INVALID", "the access token is not a user's")
        self.keep_pace()  # not before: who has no token doesn't slow down those who have
        for subprotocol in offered:
            if subprotocol in self.spoken:
                return Admission(identity, token, subprotocol)
        raise InvalidArgumentError(
            "SUBPROTOCOL_REQUIRED", f"offer a subprotocol that is spoken here: {', '.join(sorted(self.spoken))}"
        )

    def _welcomes(self, origin: str | None, host: str) -> bool:
        if origin is None or origin in self.allowed_origins:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in {"http", "https"} and bool(host) and parts.netloc.lower() == host.lower()


def status_of(error: AppError) -> HTTPStatus:
    """The HTTP status of a refusal."""
    return _STATUSES.get(type(error), HTTPStatus.SERVICE_UNAVAILABLE)


_STATUSES: Final[dict[type[AppError], HTTPStatus]] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    PermissionDeniedError: HTTPStatus.FORBIDDEN,
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    InvalidArgumentError: HTTPStatus.BAD_REQUEST,
}


def _token(authorization: str, offered: Iterable[str]) -> str:
    """The token of the Authorization header, else of the subprotocol that carries one."""
    if authorization:
        if authorization[: len(_BEARER)].lower() != _BEARER:
            raise UnauthenticatedError("TOKEN_INVALID", "the authorization is not a bearer token")
        return authorization[len(_BEARER) :].strip()
    for subprotocol in offered:
        if subprotocol.startswith(TOKEN_SUBPROTOCOL):
            return _decoded(subprotocol.removeprefix(TOKEN_SUBPROTOCOL))
    raise UnauthenticatedError("TOKEN_MISSING", "this takes an access token")


def _decoded(encoded: str) -> str:
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise UnauthenticatedError("TOKEN_INVALID", "the access token is not base64url") from None
