"""The use cases of sessions, and their refresh tokens, which are single-use and rotated, with detection of reuse.

A refresh token is the base64url of three parts: the session's id (16 bytes), the family (16 random bytes, the same in
all tokens of the session), and the secret (32 bytes), which changes with each refresh. Only SHA-256 hashes of the last
two are stored; both are random, so a plain hash is enough. A token with the right family and a secret that is not the
present one was valid once: it was used twice, so it was probably stolen, and the session ends. A token with a wrong
family proves nothing and has no effect, so knowing a session's id, which is no secret, is not enough to end it.

A client that lost the response to a refresh repeats it, and a client with two tabs may refresh twice at once. So the
token used last, and no other, is accepted again for a short grace period, and leads to the *same* successor as long as
that was not used: the next secret is HMAC-SHA256(secret, salt) with a random stored salt. Neither the database nor the
old token alone yields the new one, and the family never forks, so reuse is still detected: of two holders of a token,
the one who comes after the grace period, or after the other has continued, ends the session. Each refresh restarts the
lifetime of the session. This is OAuth 2.0's rotation (RFC 9700, section 4.14.2).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from chassis.errors import UnauthenticatedError, UnavailableError
from chassis.process.logs import logger
from services.auth import metrics
from services.auth.clock import Clock
from services.auth.domain import Revocation, RevocationReason, User
from services.auth.revocations import RevocationFeed
from services.auth.session_store import SessionRecord, SessionStore
from services.auth.tokens import AccessToken, TokenSigner
from services.auth.user_store import UserStore

_ID_BYTES: Final = 16
_FAMILY_BYTES: Final = 16
_SECRET_BYTES: Final = 32
_TOKEN_BYTES: Final = _ID_BYTES + _FAMILY_BYTES + _SECRET_BYTES
_TOKEN_CHARACTERS: Final = -(-_TOKEN_BYTES * 4 // 3)

_log = logger("sessions")


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """What a client receives: its user and tokens."""

    user: User
    access: AccessToken
    refresh: str

    def __repr__(self) -> str:
        return f"SessionTokens({self.user.organization_id}/{self.user.user_id})"


class RefreshToken(NamedTuple):
    """The parts of a refresh token."""

    session_id: str
    family: bytes
    secret: bytes

    def encode(self) -> str:
        """Returns the token in the form that clients have."""
        return _encode(_decode(self.session_id) + self.family + self.secret)

    def successor(self, salt: bytes) -> RefreshToken:
        """Returns the token that follows this one."""
        return self._replace(secret=hmac.digest(self.secret, salt, "sha256"))


def parse_refresh_token(text: str) -> RefreshToken:
    """Parses a token. Raises UnauthenticatedError (INVALID_REFRESH_TOKEN) if it has the wrong form."""
    try:
        raw = _decode(text) if len(text) == _TOKEN_CHARACTERS else b""
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _TOKEN_BYTES:
        raise _invalid()
    family_ends = _ID_BYTES + _FAMILY_BYTES
    return RefreshToken(_encode(raw[:_ID_BYTES]), raw[_ID_BYTES:family_ends], raw[family_ends:])


class Sessions:
    """Opens, refreshes and ends sessions.

    Args:
        store: the sessions.
        users: their users.
        signer: signs access tokens.
        feed: informs all processes of revoked tokens.
        now: the clock.
        lifetime: how long a session lasts without a refresh.
        grace: how long the token used last is accepted again.
    """

    def __init__(
        self,
        store: SessionStore,
        users: UserStore,
        signer: TokenSigner,
        feed: RevocationFeed,
        now: Clock,
        *,
        lifetime: timedelta,
        grace: timedelta,
    ) -> None:
        self._store = store
        self._users = users
        self._signer = signer
        self._feed = feed
        self._now = now
        self._lifetime = lifetime
        self._grace = grace

    async def open(self, user: User) -> SessionTokens:
        """Opens a session. Raises UnauthenticatedError (ACCOUNT_DISABLED)."""
        token = RefreshToken(
            _encode(secrets.token_bytes(_ID_BYTES)),
            secrets.token_bytes(_FAMILY_BYTES),
            secrets.token_bytes(_SECRET_BYTES),
        )
        now = self._now()
        record = SessionRecord(
            session_id=token.session_id,
            organization_id=user.organization_id,
            user_id=user.user_id,
            family_hash=_hash(token.family),
            secret_hash=_hash(token.secret),
            previous_hash=b"",
            salt=b"",
            rotate_time=now,
            expire_time=now + self._lifetime,
        )
        await self._store.insert(record)
        # Read after the insertion: a concurrent disabling of the account is either visible here, or ends this session.
        return self._grant(await self._enabled_user(record), token)

    async def refresh(self, text: str) -> SessionTokens:
        """Exchanges a refresh token for the next pair.

        Raises:
            UnauthenticatedError: INVALID_REFRESH_TOKEN, REFRESH_TOKEN_REUSED, ACCOUNT_DISABLED.
        """
        token = parse_refresh_token(text)
        record = await self._session_of(token)
        user = await self._enabled_user(record)
        successor = await self._rotate(record, token)
        if successor is None:
            await self._end_stolen(record)
            metrics.REFRESHES.labels("reused").inc()
            raise UnauthenticatedError("REFRESH_TOKEN_REUSED", "this refresh token was used before; sign in again")
        metrics.REFRESHES.labels("refreshed").inc()
        return self._grant(user, successor)

    async def end(self, organization_id: str, user_id: str, session_id: str) -> None:
        """Ends a session of a user. Idempotent: a repeat publishes nothing, unless the first attempt did not either."""
        await self._end(organization_id, user_id, [session_id])

    async def end_all(self, user: User) -> None:
        """Ends all sessions of a user. Idempotent; see `end`.

        If the account stays enabled, a revocation names each session, so that it does not apply to a later session.
        """
        if user.disabled:
            await self._store.delete_of(user.organization_id, user.user_id)
            await self._feed.publish([_revocation_of_user(user, RevocationReason.ACCOUNT_DISABLED)])
        else:
            session_ids = await self._store.ids_of(user.organization_id, user.user_id)
            await self._end(user.organization_id, user.user_id, session_ids)

    async def revoke_tokens(self, user: User) -> None:
        """Revokes the access tokens issued before the user's present revision. The sessions stay."""
        await self._feed.publish([_revocation_of_user(user, RevocationReason.ROLE_CHANGED)])

    async def _end(self, organization_id: str, user_id: str, session_ids: Sequence[str]) -> None:
        """Expires sessions, publishes their ends, then deletes them, so that a repeat after a failure publishes."""
        ended = await self._store.expire(session_ids, self._now())
        reason = RevocationReason.SESSION_REVOKED
        await self._feed.publish([Revocation(organization_id, user_id, session_id, reason) for session_id in ended])
        await self._store.delete_many(ended)

    async def _session_of(self, token: RefreshToken) -> SessionRecord:
        record = await self._store.get(token.session_id)
        if (
            record is None
            or record.expire_time <= self._now()
            or not hmac.compare_digest(record.family_hash, _hash(token.family))
        ):
            raise _invalid()
        return record

    async def _enabled_user(self, record: SessionRecord) -> User:
        user = await self._users.get(record.organization_id, record.user_id)
        if user is None or user.disabled:
            await self._store.delete(record.session_id)
            raise UnauthenticatedError("ACCOUNT_DISABLED", "the account is disabled")
        return user

    async def _rotate(self, record: SessionRecord, token: RefreshToken) -> RefreshToken | None:
        """Returns the token's successor, new or within the grace period; None if the token was used before that."""
        shown = _hash(token.secret)
        if hmac.compare_digest(record.secret_hash, shown):
            successor = await self._make_successor(record, token)
            if successor is not None:
                return successor
            record = await self._session_of(token)  # a concurrent refresh with this token came first
        within_grace = self._now() <= record.rotate_time + self._grace
        if within_grace and record.salt and hmac.compare_digest(record.previous_hash, shown):
            return token.successor(record.salt)
        return None

    async def _make_successor(self, record: SessionRecord, token: RefreshToken) -> RefreshToken | None:
        salt = secrets.token_bytes(_SECRET_BYTES)
        successor = token.successor(salt)
        now = self._now()
        rotated = await self._store.rotate(
            replace(
                record,
                secret_hash=_hash(successor.secret),
                previous_hash=record.secret_hash,
                salt=salt,
                rotate_time=now,
                expire_time=now + self._lifetime,
            )
        )
        return successor if rotated else None

    async def _end_stolen(self, record: SessionRecord) -> None:
        """Ends a session whose token was used twice.

        Its refresh tokens become invalid. If the revocation can't be published, open sockets end with their access
        tokens; the caller still receives the original error.
        """
        _log.warning("refresh_token_reused", organization=record.organization_id, user=record.user_id)
        await self._store.expire([record.session_id], self._now())
        try:
            await self.end(record.organization_id, record.user_id, record.session_id)
        except UnavailableError as error:
            _log.error("revocation_failed", reason=error.reason)

    def _grant(self, user: User, token: RefreshToken) -> SessionTokens:
        return SessionTokens(user, self._signer.for_user(user, token.session_id), token.encode())


def _revocation_of_user(user: User, reason: RevocationReason) -> Revocation:
    return Revocation(user.organization_id, user.user_id, "", reason, user.revision)


def _invalid() -> UnauthenticatedError:
    metrics.REFRESHES.labels("invalid").inc()
    return UnauthenticatedError("INVALID_REFRESH_TOKEN", "the refresh token is not valid")


def _hash(value: bytes) -> bytes:
    return sha256(value).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
