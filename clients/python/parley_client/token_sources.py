"""Where access tokens come from: signing in, tokens that are at hand, or a callback of the program."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from parley_client.clock import Clock
from parley_client.errors import ParleyError
from parley_client.rest import AuthApi
from parley_client.tokens import AccessToken, Tokens, access_token_of

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
            self._keep(tokens)

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
                return self._keep((await self._api.refresh(self._refresh_token)).tokens)
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
        signed_in = await self._api.sign_in(self._credentials.email, self._credentials.password)
        return self._keep(signed_in.tokens)

    def _keep(self, tokens: Tokens) -> AccessToken:
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
            return self._access or await self._provide()

    async def renew(self, old: AccessToken) -> AccessToken:
        """A newer token than `old`."""
        async with self._lock:
            if self._access is not None and self._access.value != old.value:
                return self._access
            return await self._provide()

    async def close(self) -> None:
        """Nothing to let go of: what the callback uses belongs to the program."""

    async def _provide(self) -> AccessToken:
        given = await self._provider()
        tokens = Tokens(given) if isinstance(given, str) else given
        self._access = access_token_of(tokens, self._clock.time())
        return self._access
