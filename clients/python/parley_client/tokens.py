"""Tokens and when to renew them; no I/O."""

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from parley_client.auth_api import AuthApi, Tokens
from parley_client.errors import ConnectionLostError, ParleyError
from parley_client.options import Clock, Options

# Renewing after this part of a token's life leaves a fifth of it for tries that fail.
_RENEW_AFTER = 0.8
_JWT_PARTS = 3


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token, and when to replace it (seconds since the epoch); None where its life is not known."""

    value: str = field(repr=False)
    renew_at: float | None = None


class _Claims(msgspec.Struct):
    exp: float | None = None
    iat: float | None = None


def access_token_of(tokens: Tokens, now: float) -> AccessToken:
    """The access token of a pair that was just received, to be renewed well before it expires.

    The life that came with it counts, from now on; where none came, the token's own claims do, which are read and not
    verified: a wrong one only makes the client renew at the wrong time.
    """
    if tokens.expires_in is not None:
        return AccessToken(tokens.access_token, now + tokens.expires_in * _RENEW_AFTER)
    claims = _claims(tokens.access_token)
    if claims.exp is None:
        return AccessToken(tokens.access_token)
    born = now if claims.iat is None else min(claims.iat, now)
    return AccessToken(tokens.access_token, born + (claims.exp - born) * _RENEW_AFTER)


def _claims(token: str) -> _Claims:
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        return _Claims()
    payload = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(payload), type=_Claims)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return _Claims()


# An access token alone, or with the refresh token and the life that came with it.
TokenProvider = Callable[[], Awaitable[str | Tokens]]


class TokenSource(Protocol):
    """Gives access tokens. Failures are ParleyErrors: final ones unless `retryable`."""

    async def current(self) -> AccessToken:
        """The latest token, or the first one."""
        ...

    async def renew(self, old: AccessToken) -> AccessToken:
        """A newer token than `old`, which is about to expire or was refused; never asks twice for the same."""
        ...

    async def close(self) -> None:
        """Lets go of whatever the source holds."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """An e-mail address and a password."""

    email: str
    password: str = field(repr=False)


class SessionTokens:
    """Tokens of one Parley session, renewed with its refresh token.

    A refresh token holds once. When the answer to a refresh is lost on the way, the next try counts as reuse and ends
    the session; with credentials at hand the source then signs in again, else the failure is final.
    """

    def __init__(
        self, api: AuthApi, clock: Clock, *, tokens: Tokens | None = None, credentials: Credentials | None = None
    ) -> None:
        self._api = api
        self._clock = clock
        self._credentials = credentials
        self._lock = asyncio.Lock()
        self._access: AccessToken | None = None
        self._refresh_token: str | None = None
        if tokens is not None:
            self._store(tokens)

    async def current(self) -> AccessToken:
        """The latest token, or the first one."""
        async with self._lock:
            return self._access or await self._sign_in()

    async def renew(self, old: AccessToken) -> AccessToken:
        """A newer token than `old`."""
        async with self._lock:
            if self._access is not None and self._access.value != old.value:
                return self._access
            if self._refresh_token is None:
                return await self._sign_in()
            try:
                return self._store((await self._api.refresh(self._refresh_token)).tokens)
            except ParleyError as error:
                if self._credentials is None or error.code != "UNAUTHENTICATED":
                    raise
            return await self._sign_in()

    async def close(self) -> None:
        """Closes the connection to the HTTP interface."""
        await self._api.close()

    async def _sign_in(self) -> AccessToken:
        if self._credentials is None:
            raise ParleyError("UNAUTHENTICATED", "NO_REFRESH_TOKEN", "the access token cannot be renewed")
        response = await self._api.sign_in(self._credentials.email, self._credentials.password)
        return self._store(response.tokens)

    def _store(self, tokens: Tokens) -> AccessToken:
        self._access = access_token_of(tokens, self._clock.time())
        self._refresh_token = tokens.refresh_token
        return self._access


class ProvidedTokens:
    """Tokens from a callback, for programs that exchange their own, as a CRM does.

    The callback may raise ParleyError; any other exception of it stops the client, and is its cause.
    """

    def __init__(self, provider: TokenProvider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self._lock = asyncio.Lock()
        self._access: AccessToken | None = None

    async def current(self) -> AccessToken:
        """The latest token, or the first one."""
        async with self._lock:
            return self._access or await self._fetch()

    async def renew(self, old: AccessToken) -> AccessToken:
        """A newer token than `old`."""
        async with self._lock:
            if self._access is not None and self._access.value != old.value:
                return self._access
            return await self._fetch()

    async def close(self) -> None:
        """Nothing to let go of: what the callback uses belongs to the program."""

    async def _fetch(self) -> AccessToken:
        given = await self._provider()
        tokens = Tokens(given) if isinstance(given, str) else given
        self._access = access_token_of(tokens, self._clock.time())
        return self._access


_logger = logging.getLogger(__name__)
# How soon to look again at a token whose life is not known, in case that another has taken its place.
_UNKNOWN_LIFE_SECONDS = 60.0
# How soon to try again after a refusal.
_REFUSED_SECONDS = 60.0
# A token that is born expired must not make this a busy loop.
_MIN_WAIT_SECONDS = 1.0


class TokenRenewer:
    """Renews tokens in time.

    It belongs to the client and not to a connection: a refresh that a lost connection cuts off would use up the refresh
    token and lose the answer.

    Args:
        tokens: where tokens come from.
        options: the clock, and how to wait between tries.
        send_token: shows a newer token to the server, on the open connection when there is one.
    """

    def __init__(
        self, tokens: TokenSource, options: Options, send_token: Callable[[AccessToken], Awaitable[None]]
    ) -> None:
        self._tokens = tokens
        self._options = options
        self._send_token = send_token

    async def run(self, token: AccessToken) -> None:
        """Keeps the token fresh, until cancelled."""
        while True:
            await self._options.clock.sleep(max(_MIN_WAIT_SECONDS, self._seconds_left(token)))
            latest = await self._tokens.current()
            if self._seconds_left(latest) > 0:
                token = latest
                continue
            token = await self._renew(latest)
            await self._send(token)

    def _seconds_left(self, token: AccessToken) -> float:
        if token.renew_at is None:
            return _UNKNOWN_LIFE_SECONDS
        return token.renew_at - self._options.clock.time()

    async def _renew(self, token: AccessToken) -> AccessToken:
        attempt = 0
        while True:
            try:
                return await self._tokens.renew(token)
            except ParleyError as error:
                _logger.warning("token_not_renewed", extra={"code": error.code, "reason": error.reason})
                # A refusal is left to the connection, which the server will end for it.
                wait_seconds = (error.retry_after_ms or 0) / 1000 if error.retryable else _REFUSED_SECONDS
            backoff = self._options.reconnect_backoff
            await self._options.clock.sleep(wait_seconds + backoff.delay_seconds(attempt, self._options.random))
            attempt += 1

    async def _send(self, token: AccessToken) -> None:
        try:
            await self._send_token(token)
        except ConnectionLostError:
            # The next connection is opened with the newer token.
            return
        except ParleyError as error:
            _logger.warning("token_not_taken", extra={"code": error.code, "reason": error.reason})
