"""Whether an HTTP request may become a WebSocket: its path, its origin, its token, its subprotocols.

Pure: requests come as their parts, and refusals leave as errors, each with the HTTP status it has.
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

TOKEN_SUBPROTOCOL: Final = "base64url.bearer.authorization.parley."  # noqa: S105  # what a token is announced by


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


class AuthorizedUpgrade(NamedTuple):
    """The upgrade is granted: what is spoken, to whom, with what token, and the subprotocol that is agreed on.

    Where the token comes later, there is nobody yet, and perhaps no token.
    """

    dialect: str
    identity: Identity | None
    token: str
    subprotocol: str


class Route(NamedTuple):
    """What is at a path.

    Attributes:
        dialects: the dialects that there are, by the subprotocol that asks for them; of a single one without a
            subprotocol, the key is empty.
        auth_in_first_frame: whether clients say who they are in their first frame, and so may come without a token.
    """

    dialects: Mapping[str, str]
    auth_in_first_frame: bool = False


@dataclass(frozen=True, slots=True)
class UpgradeAuthorizer:
    """Decides about upgrades.

    Attributes:
        verify: returns whose token one is, at once. Raises AppError.
        allows_origin: whether browsers may come from an origin, to a host.
        routes: what there is, by path.
        acquire: lets one more through, or raises AppError.
    """

    verify: Callable[[str], Identity]
    allows_origin: Callable[[str | None, str], bool]
    routes: Mapping[str, Route]
    acquire: Callable[[], None] = lambda: None

    def admit(self, request: UpgradeRequest) -> AuthorizedUpgrade:
        """Grants an upgrade, or raises AppError; `status_of` says with what status."""
        route = self.routes.get(request.target.partition("?")[0])
        if route is None:
            raise NotFoundError("NOT_FOUND", f"WebSocket is at {', '.join(self.routes)}")
        if not self.allows_origin(request.origin, request.host):
            raise foreign_origin()
        offered = [entry.strip() for header in request.subprotocols for entry in header.split(",")]
        if route.auth_in_first_frame:
            token = token_of(request.authorization, offered, required=False)
            self.acquire()
            return AuthorizedUpgrade(route.dialects[""], None, token, _agreeable(offered))
        token = token_of(request.authorization, offered)
        identity = user_of(self.verify, token)
        self.acquire()  # not before: who has no token doesn't slow down those who have
        for subprotocol in offered:
            if subprotocol in route.dialects:
                return AuthorizedUpgrade(route.dialects[subprotocol], identity, token, subprotocol)
        raise InvalidArgumentError(
            "SUBPROTOCOL_REQUIRED", f"offer a subprotocol that is spoken here: {', '.join(sorted(route.dialects))}"
        )


def _agreeable(offered: Sequence[str]) -> str:
    """What is agreed on where nothing need be: browsers give up unless it is something that they offered."""
    named = [entry for entry in offered if entry and not entry.startswith(TOKEN_SUBPROTOCOL)]
    return (named or [entry for entry in offered if entry] or [""])[0]


def user_of(verify: Callable[[str], Identity], token: str) -> Identity:
    """Which user a token is of. Raises UnauthenticatedError, also for a service's, and what `verify` does."""
    identity = verify(token)
    if not identity.user_id:
        raise UnauthenticatedError("TOKEN_INVALID", "the access token is not a user's")
    return identity


def foreign_origin() -> PermissionDeniedError:
    """The error for browsers that come from elsewhere."""
    return PermissionDeniedError("FOREIGN_ORIGIN", "pages of this origin may not connect")


@dataclass(frozen=True, slots=True)
class OriginPolicy:
    """From where browsers may come: from some origins, and from the host that they connect to."""

    allowed: Collection[str]

    def allows(self, origin: str | None, host: str) -> bool:
        """Whether they may come from one; programs that are no browsers have none."""
        if origin is None or origin in self.allowed:
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


def token_of(authorization: str, offered: Iterable[str], *, required: bool = True) -> str:
    """The token of the Authorization header, else of the subprotocol that carries one.

    Raises:
        UnauthenticatedError: what is there is no token, or there is none and one is required.
    """
    if authorization:
        return bearer_token(authorization)
    for subprotocol in offered:
        if subprotocol.startswith(TOKEN_SUBPROTOCOL):
            return _decoded(subprotocol.removeprefix(TOKEN_SUBPROTOCOL))
    if not required:
        return ""
    raise UnauthenticatedError("TOKEN_MISSING", "this takes an access token")


def _decoded(encoded: str) -> str:
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise UnauthenticatedError("TOKEN_INVALID", "the access token is not base64url") from None
