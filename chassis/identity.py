"""Callers' identities, and the verifier of the tokens that carry them.

Every call carries a token, and every process verifies it itself: being inside the network proves nothing.
"""

from __future__ import annotations

import base64
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from chassis.errors import PermissionDeniedError, UnauthenticatedError, UnavailableError
from chassis.revocations import RevocationCache
from chassis.single_flight import SingleFlight

ALGORITHM: Final = "ES256"
_CACHE_SIZE: Final = 50_000
_KEYS_MAX_AGE_SECONDS: Final = 300.0
_KEYS_MIN_AGE_SECONDS: Final = 2.0  # a flood of tokens with made-up key ids must not become a flood of fetches
_MAX_TOKEN_BYTES: Final = 8_192


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified caller: a user of an organization, or a service.

    `organization_id` is empty for a service that acts in all organizations. `user_id`, `role`, `name` and `session_id`
    are empty for services; `service` and `scopes` are empty for users. `revision` is the user's when the token was
    issued, and 0 for services.
    """

    organization_id: str
    user_id: str
    role: str
    teams: tuple[str, ...]
    name: str
    session_id: str
    service: str
    scopes: frozenset[str]
    expires_at: float  # Unix time, s
    revision: int = 0


def bearer_token(authorization: str) -> str:
    """Returns the token in the value of an Authorization header (RFC 6750, section 2.1).

    Raises:
        UnauthenticatedError: TOKEN_INVALID: the scheme is not Bearer, or there is no token.
    """
    scheme, _, credentials = authorization.partition(" ")
    token = credentials.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError("TOKEN_INVALID", "the authorization is not a bearer token")
    return token


_current: ContextVar[Identity | None] = ContextVar("identity", default=None)
_token: ContextVar[str] = ContextVar("token", default="")


def set_caller(identity: Identity | None, token: str) -> None:
    """Sets the caller of the running task, and the token that it presented; for the server's interceptor only."""
    _current.set(identity)
    _token.set(token)


def caller_token() -> str:
    """Returns the caller's token, for calls to other services on the caller's behalf; empty if there is none."""
    return _token.get()


def caller() -> Identity:
    """Returns the verified caller of the call in progress.

    Raises:
        UnauthenticatedError: the method is public and the caller presented no token.
    """
    identity = _current.get()
    if identity is None:
        raise UnauthenticatedError("TOKEN_MISSING", "an access token is required")
    return identity


def calling_user() -> Identity:
    """Returns the caller, who must be a user; see `caller`. Raises PermissionDeniedError USER_REQUIRED."""
    identity = caller()
    if not identity.user_id:
        raise PermissionDeniedError("USER_REQUIRED", "only users may call this, not services")
    return identity


def require_organization(identity: Identity, organization_id: str) -> None:
    """Checks that a caller may act in an organization. Raises PermissionDeniedError ORGANIZATION_NOT_ALLOWED."""
    if identity.organization_id and identity.organization_id != organization_id:
        raise PermissionDeniedError("ORGANIZATION_NOT_ALLOWED", "the token is for another organization")


def caller_if_any() -> Identity | None:
    """Returns the verified caller, or None if a public method was called without a token."""
    return _current.get()


class TokenVerifier:
    """Verifies access tokens with AuthService's public keys, and caches the verified ones.

    Revocations apply to cached tokens too.

    Args:
        fetch_keys: returns a JSON Web Key Set as text.
        now: returns the Unix time, in s.
        revocations: the revocations that are known; an empty cache if None.
    """

    def __init__(
        self,
        fetch_keys: Callable[[], Awaitable[str]],
        now: Callable[[], float] = time.time,
        revocations: RevocationCache | None = None,
    ) -> None:
        self._fetch_keys = fetch_keys
        self._now = now
        self.revocations: Final = RevocationCache(now) if revocations is None else revocations
        self._keys: KeySet | None = None
        self._key_ids: frozenset[str] = frozenset()
        self._fetched_at = 0.0
        self._fetching: SingleFlight[str, None] = SingleFlight()
        self._verified: OrderedDict[str, Identity] = OrderedDict()

    async def verify(self, token: str) -> Identity:
        """Returns the identity in `token`.

        Raises:
            UnauthenticatedError: TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_REVOKED or ACCOUNT_DISABLED.
            UnavailableError: the keys can't be fetched; the error of `fetch_keys`.
        """
        identity = self._verified.get(token)
        if identity is None:
            if len(token) > _MAX_TOKEN_BYTES:
                raise _invalid()
            identity = self._remember(token, _decode(token, await self._keys_for(token)))
        return self._checked(token, identity)

    def verify_cached(self, token: str) -> Identity:
        """Returns the identity in `token` without waiting: uses the keys fetched last, however old; see `refresh`.

        Raises:
            UnauthenticatedError: TOKEN_EXPIRED, TOKEN_REVOKED, ACCOUNT_DISABLED, or TOKEN_INVALID, even if the token's
                key is only newer than the cache.
            UnavailableError: no keys were fetched yet.
        """
        identity = self._verified.get(token)
        if identity is None:
            if self._keys is None:
                raise UnavailableError(
                    "KEYS_UNAVAILABLE", "the keys for tokens are not loaded yet", retry_after_ms=1_000
                )
            if len(token) > _MAX_TOKEN_BYTES or _key_id(token) not in self._key_ids:
                raise _invalid()
            identity = self._remember(token, _decode(token, self._keys))
        return self._checked(token, identity)

    @property
    def has_keys(self) -> bool:
        """Whether keys were fetched, so that tokens can be verified while AuthService is away."""
        return self._keys is not None

    async def refresh(self) -> None:
        """Fetches the keys unless they were fetched within the last 2 s. Raises the AppError of `fetch_keys`."""
        if self._keys is None or self._now() - self._fetched_at > _KEYS_MIN_AGE_SECONDS:
            await self._fetching.run("keys", self._refresh)

    def _remember(self, token: str, identity: Identity) -> Identity:
        self._verified[token] = identity
        if len(self._verified) > _CACHE_SIZE:
            self._verified.popitem(last=False)
        return identity

    def _checked(self, token: str, identity: Identity) -> Identity:
        if identity.expires_at <= self._now():
            self._verified.pop(token, None)
            raise UnauthenticatedError("TOKEN_EXPIRED", "the access token has expired")
        refusal = self.revocations.refusal(identity)
        if refusal is not None:
            raise refusal
        return identity

    async def _keys_for(self, token: str) -> KeySet:
        """Returns the keys; fetches them first if they are old or the token names an unknown one."""
        is_known = _key_id(token) in self._key_ids
        age = self._now() - self._fetched_at
        if self._keys is None or age > _KEYS_MAX_AGE_SECONDS or (not is_known and age > _KEYS_MIN_AGE_SECONDS):
            await self._fetching.run("keys", self._refresh)
        if self._keys is None:
            raise _invalid()
        return self._keys

    async def _refresh(self) -> None:
        text = await self._fetch_keys()
        document = json.loads(text)
        self._key_ids = frozenset(key["kid"] for key in document["keys"])
        self._keys = KeySet.import_key_set(document) if document["keys"] else None
        self._fetched_at = self._now()
        self._verified.clear()  # tokens of a withdrawn key are no longer valid


def _decode(token: str, keys: KeySet) -> Identity:
    try:
        claims = jwt.decode(token, keys, algorithms=[ALGORITHM]).claims
    except (JoseError, ValueError) as error:
        raise _invalid() from error
    return _identity_from(claims)


def _key_id(token: str) -> str:
    try:
        header = jwt_header(token)
    except (ValueError, RecursionError):
        raise _invalid() from None
    key_id = header.get("kid")
    if header.get("alg") != ALGORITHM or not isinstance(key_id, str):
        raise _invalid()
    return key_id


def jwt_header(token: str) -> dict[str, Any]:
    """Reads a compact JWT's header without verifying it. Raises ValueError if it is malformed."""
    part = token.split(".", 1)[0]
    header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    if not isinstance(header, dict):
        raise ValueError("not a JWT")  # noqa: TRY004  # one error for every malformed token
    return header


def _invalid() -> UnauthenticatedError:
    return UnauthenticatedError("TOKEN_INVALID", "the access token is not valid")


def _identity_from(claims: dict[str, Any]) -> Identity:
    """Reads the claims of a token whose signature is valid; see "Identity and access" in docs/architecture.md."""
    try:
        identity = Identity(
            organization_id=str(claims.get("org", "")),
            user_id=str(claims.get("sub", "")),
            role=str(claims.get("role", "")),
            teams=tuple(claims.get("teams", ())),
            name=str(claims.get("name", "")),
            session_id=str(claims.get("sid", "")),
            service=str(claims.get("svc", "")),
            scopes=frozenset(claims.get("scope", ())),
            expires_at=float(claims["exp"]),
            revision=int(claims.get("rev", 0)),
        )
    except (KeyError, TypeError, ValueError):
        raise _invalid() from None
    is_user = bool(identity.user_id and identity.organization_id and identity.role)
    if is_user == bool(identity.service):
        raise _invalid()
    return identity
