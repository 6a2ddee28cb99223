"""Authorizes WebSocket upgrades by path, origin, token and subprotocol.

Pure: an upgrade request comes in as its parts, and a refusal is an error, which has an HTTP status.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
from chassis.identity import Identity, bearer_token
from gateway.transports.rate_limit import RateLimiter

TOKEN_SUBPROTOCOL: Final = "base64url.bearer.authorization.parley."  # noqa: S105  # the prefix of a token


class UpgradeRequest(NamedTuple):
    """The parts of an upgrade request.

    Attributes:
        target: the path, with the query if there is one.
        host: the Host header, or empty.
        origin: the Origin header, or None; only browsers send one.
        authorization: the Authorization header, or empty.
        subprotocols: the Sec-WebSocket-Protocol headers.
    """

    target: str
    host: str
    origin: str | None
    authorization: str
    subprotocols: Iterable[str]


class AuthorizedUpgrade(NamedTuple):
    """An authorized upgrade.

    Attributes:
        dialect: the name of the dialect.
        identity: the user; None if the first frame authenticates the client.
        token: the access token; may be empty if the first frame authenticates the client.
        subprotocol: the subprotocol to agree on, or empty.
    """

    dialect: str
    identity: Identity | None
    token: str
    subprotocol: str


class Route(NamedTuple):
    """The dialects at a path.

    Attributes:
        dialects: their names by subprotocol; a dialect without one is alone at its path, with an empty key.
        auth_in_first_frame: whether the first frame authenticates clients, so that an upgrade needs no token.
    """

    dialects: Mapping[str, str]
    auth_in_first_frame: bool = False


@dataclass(frozen=True, slots=True)
class UpgradeAuthorizer:
    """Authorizes upgrades.

    Attributes:
        verify: returns the identity in a token. Raises AppError.
        allows_origin: returns whether browsers may connect from an origin (None for other programs) to a host.
        routes: the dialects by path.
        limiter: limits the rate of new connections with a valid token.
        preauth_limiter: limits the rate of new connections that show their token later, or never.
    """

    verify: Callable[[str], Identity]
    allows_origin: Callable[[str | None, str], bool]
    routes: Mapping[str, Route]
    limiter: RateLimiter
    preauth_limiter: RateLimiter

    def authorize(self, request: UpgradeRequest) -> AuthorizedUpgrade:
        """Authorizes an upgrade. Raises AppError; `status_of` returns its HTTP status."""
        route = self.routes.get(request.target.partition("?")[0])
        if route is None:
            raise NotFoundError("NOT_FOUND", f"WebSocket is at {', '.join(self.routes)}")
        if not self.allows_origin(request.origin, request.host):
            raise foreign_origin()
        offered = [entry.strip() for header in request.subprotocols for entry in header.split(",")]
        if route.auth_in_first_frame:
            token = find_token(request.authorization, offered)
            self.preauth_limiter.acquire()
            return AuthorizedUpgrade(route.dialects[""], None, token, _agreeable(offered))
        token = require_token(request.authorization, offered)
        identity = verify_user(self.verify, token)
        self.limiter.acquire()  # only now, so that clients without a token do not slow down the others
        for subprotocol in offered:
            if subprotocol in route.dialects:
                return AuthorizedUpgrade(route.dialects[subprotocol], identity, token, subprotocol)
        raise InvalidArgumentError(
            "SUBPROTOCOL_REQUIRED", f"offer one of these subprotocols: {', '.join(sorted(route.dialects))}"
        )


def _agreeable(offered: Sequence[str]) -> str:
    """Returns a subprotocol to agree on where none is required: browsers fail unless one that they offered is."""
    named = [entry for entry in offered if entry and not entry.startswith(TOKEN_SUBPROTOCOL)]
    return (named or [entry for entry in offered if entry] or [""])[0]


def verify_user(verify: Callable[[str], Identity], token: str) -> Identity:
    """Returns the user in a token. Raises UnauthenticatedError for a service's token, and the errors of `verify`."""
    identity = verify(token)
    if not identity.user_id:
        raise UnauthenticatedError("TOKEN_INVALID", "the access token is not a user's")
    return identity


def foreign_origin() -> PermissionDeniedError:
    """Returns the error for a browser on a page of an origin that is not allowed."""
    return PermissionDeniedError("FOREIGN_ORIGIN", "pages of this origin may not connect")


@dataclass(frozen=True, slots=True)
class OriginPolicy:
    """Allows browsers from some origins, and from the host that they connect to."""

    allowed: Collection[str]

    def allows(self, origin: str | None, host: str) -> bool:
        """Returns whether a page of an origin may connect to a host; programs other than browsers have no origin."""
        if origin is None or origin in self.allowed:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in {"http", "https"} and bool(host) and parts.netloc.lower() == host.lower()


def status_of(error: AppError) -> HTTPStatus:
    """Returns the HTTP status of a refused upgrade."""
    return _STATUSES.get(type(error), HTTPStatus.SERVICE_UNAVAILABLE)


_STATUSES: Final[dict[type[AppError], HTTPStatus]] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    PermissionDeniedError: HTTPStatus.FORBIDDEN,
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    InvalidArgumentError: HTTPStatus.BAD_REQUEST,
}


def find_token(authorization: str, offered: Iterable[str] = ()) -> str:
    """Returns the token of the Authorization header, else of the subprotocol that carries one; empty if neither does.

    Raises:
        UnauthenticatedError: TOKEN_INVALID: the header or the subprotocol is malformed.
    """
    if authorization:
        return bearer_token(authorization)
    for subprotocol in offered:
        if subprotocol.startswith(TOKEN_SUBPROTOCOL):
            return _decode(subprotocol.removeprefix(TOKEN_SUBPROTOCOL))
    return ""


def require_token(authorization: str, offered: Iterable[str] = ()) -> str:
    """Returns a token as `find_token` does. Raises UnauthenticatedError; TOKEN_MISSING if there is none."""
    if not authorization and not any(subprotocol.startswith(TOKEN_SUBPROTOCOL) for subprotocol in offered):
        raise UnauthenticatedError("TOKEN_MISSING", "an access token is required")
    return find_token(authorization, offered)


def _decode(encoded: str) -> str:
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise UnauthenticatedError("TOKEN_INVALID", "the access token is not base64url") from None
