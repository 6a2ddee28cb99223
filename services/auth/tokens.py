"""Signs access tokens: JWTs (RFC 7519) that identify a user or a service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt

from chassis.identity import ALGORITHM
from services.auth.clock import Clock
from services.auth.domain import User
from services.auth.keys import KeyRing


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A signed token with its expiry."""

    text: str
    expire_time: datetime

    def __repr__(self) -> str:
        return f"AccessToken(expire_time={self.expire_time})"


class TokenSigner:
    """Signs tokens.

    Args:
        keys: the signing keys.
        now: the clock.
        user_lifetime: the lifetime of users' tokens.
        service_lifetime: the lifetime of services' tokens.
    """

    def __init__(self, keys: KeyRing, now: Clock, user_lifetime: timedelta, service_lifetime: timedelta) -> None:
        self._keys = keys
        self._now = now
        self._user_lifetime = user_lifetime
        self._service_lifetime = service_lifetime

    def for_user(self, user: User, session_id: str) -> AccessToken:
        """Returns a token of a user in a session."""
        claims = {
            "sub": user.user_id,
            "org": user.organization_id,
            "role": user.role.value,
            "teams": list(user.teams),
            "name": user.name,
            "sid": session_id,
            "rev": user.revision,
        }
        return self._sign(claims, self._user_lifetime)

    def for_service(self, service: str, scopes: Iterable[str], organization_id: str) -> AccessToken:
        """Returns a token of a service, for one organization, or for all if the id is empty."""
        claims: dict[str, Any] = {"svc": service, "scope": sorted(scopes)}
        if organization_id:
            claims["org"] = organization_id
        return self._sign(claims, self._service_lifetime)

    def _sign(self, claims: dict[str, Any], lifetime: timedelta) -> AccessToken:
        key = self._keys.signing_key()
        issued = self._now().replace(microsecond=0)
        expires = issued + lifetime
        claims |= {"iat": int(issued.timestamp()), "exp": int(expires.timestamp())}
        text = jwt.encode({"alg": ALGORITHM, "kid": key.key_id}, claims, key.key, algorithms=[ALGORITHM])
        return AccessToken(text, expires)
