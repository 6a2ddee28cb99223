"""Access tokens: when to renew them, the sources they come from, and the task that renews them in time."""

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

_logger = logging.getLogger(__name__)
# The part of a token's lifetime after which to renew it; the rest leaves time for failed attempts.
_RENEW_AFTER = 0.8
_JWT_PARTS = 3
# How often to check a token of unknown lifetime, which another caller may have renewed.
_UNKNOWN_LIFE_SECONDS = 60.0
# The delay after a refused renewal.
_REFUSED_SECONDS = 60.0
# Keeps a token that is expired on arrival from causing a busy loop.
_MIN_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token, and when to renew it (seconds since the epoch); None if its lifetime is unknown."""

    value: str = field(repr=False)
    renew_at: float | None = None


class _Claims(msgspec.Struct):
    exp: float | None = None
    iat: float | None = None


def access_token_of(tokens: Tokens, now: float) -> AccessToken:
    """Returns the access token of a pair that was just received, to be renewed well before it expires.

    Its lifetime is `expires_in`, counted from now; without one, the token's own claims. The claims are read without
    verification: wrong ones only make the client renew at the wrong time.
    """
    if tokens.expires_in is not None:
        return AccessToken(tokens.access_token, now + tokens.expires_in * _RENEW_AFTER)
    claims = _claims(tokens.access_token)
    if claims.exp is None:
        return AccessToken(tokens.access_token)
    issued_at = now if claims.iat is None else min(claims.iat, now)
    return AccessToken(tokens.access_token, issued_at + (claims.exp - issued_at) * _RENEW_AFTER)


def _claims(token: str) -> _Claims:
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        return _Claims()
    payload = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(payload), type=_Claims)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return _Claims()


# Returns an access token alone, or with its refresh token and lifetime.
TokenProvider = Callable[[], Awaitable[str | Tokens]]


class TokenSource(Protocol):
    """A source of access tokens. Its methods raise ParleyError; an error that is not `retryable` is final."""

    async def current(self) -> AccessToken:
        """Returns the latest token; fetches the first one."""
        ...

    async def renew(self, old: AccessToken) -> AccessToken:
        """Returns a newer token than `old`, which is about to expire or was refused. Concurrent callers share one
        renewal.
        """
        ...

    async def close(self) -> None:
        """Releases the source's resources."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """An e-mail address and a password."""

    email: str
    password: str = field(repr=False)


class SessionTokens:
    """The tokens of one Parley session, renewed with its refresh token.

    A refresh token is valid once. If the response to a refresh is lost, the next attempt counts as reuse and ends the
    session. With credentials, the source then signs in again; without them, the failure is final.
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
        """Returns the latest token; fetches the first one."""
        async with self._lock:
            return self._access or await self._sign_in()

    async def renew(self, old: AccessToken) -> AccessToken:
        """Returns a newer token than `old`."""
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
        """Closes the HTTP connections."""
        await self._api.close()

    async def _sign_in(self) -> AccessToken:
        if self._credentials is None:
            raise ParleyError(
                "UNAUTHENTICATED", "NO_REFRESH_TOKEN", "there is no refresh token to renew the access token with"
            )
        response = await self._api.sign_in(self._credentials.email, self._credentials.password)
        return self._store(response.tokens)

    def _store(self, tokens: Tokens) -> AccessToken:
        self._access = access_token_of(tokens, self._clock.time())
        self._refresh_token = tokens.refresh_token
        return self._access


class ProvidedTokens:
    """Tokens from a callback, for programs that exchange their own, as a CRM does.

    The callback may raise ParleyError; any other exception stops the client and becomes its cause.
    """

    def __init__(self, provider: TokenProvider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self._lock = asyncio.Lock()
        self._access: AccessToken | None = None

    async def current(self) -> AccessToken:
        """Returns the latest token; fetches the first one."""
        async with self._lock:
            return self._access or await self._fetch()

    async def renew(self, old: AccessToken) -> AccessToken:
        """Returns a newer token than `old`."""
        async with self._lock:
            if self._access is not None and self._access.value != old.value:
                return self._access
            return await self._fetch()

    async def close(self) -> None:
        """Does nothing: the callback's resources belong to the program."""

    async def _fetch(self) -> AccessToken:
        provided = await self._provider()
        tokens = Tokens(provided) if isinstance(provided, str) else provided
        self._access = access_token_of(tokens, self._clock.time())
        return self._access


class TokenRenewer:
    """Renews the access token before it expires, and presents it on the open connection.

    It belongs to the client, not to a connection: a lost connection that cancelled a refresh would use up the refresh
    token and lose the response.

    Args:
        tokens: the source of tokens.
        options: the clock, and the backoff between attempts.
        send_token: presents a newer token to the server if there is an open connection.
    """

    def __init__(
        self, tokens: TokenSource, options: Options, send_token: Callable[[AccessToken], Awaitable[None]]
    ) -> None:
        self._tokens = tokens
        self._options = options
        self._send_token = send_token

    async def run(self, token: AccessToken) -> None:
        """Renews the token until cancelled."""
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
                # The connection handles a refusal: the server will close it.
                wait_seconds = (error.retry_after_ms or 0) / 1000 if error.retryable else _REFUSED_SECONDS
            backoff = self._options.reconnect_backoff
            await self._options.clock.sleep(wait_seconds + backoff.delay_seconds(attempt, self._options.random))
            attempt += 1

    async def _send(self, token: AccessToken) -> None:
        try:
            await self._send_token(token)
        except ConnectionLostError:
            # The next connection opens with the newer token.
            return
        except ParleyError as error:
            _logger.warning("token_not_taken", extra={"code": error.code, "reason": error.reason})
