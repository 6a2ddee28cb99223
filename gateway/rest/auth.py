"""Signing in and out: tokens for a password, for a refresh token, or for a token of the CRM's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct
from parley.auth.v1 import auth_pb2, user_pb2

from gateway.rest.operation import Call, Group, Nothing, Operation
from gateway.rest.request_parsing import client_address
from gateway.rest.schemas import Empty, Session
from gateway.upstream.clients import Upstreams
from gateway.wire.json_objects import Object, user_object


class Credentials(Struct):
    """Who signs in."""

    email: Annotated[str, Meta(min_length=1, max_length=320, description="The account's e-mail address.")]
    password: Annotated[str, Meta(min_length=1, max_length=1_024)]


class Refresh(Struct, rename="camel"):
    """A session that goes on."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=1_024, description="The latest of the session.")]


class Exchange(Struct):
    """A token of the CRM's own."""

    token: Annotated[str, Meta(min_length=1, max_length=16_384, description="A JWT that a trusted issuer signed.")]


class Auth:
    """The operations under /api/auth.

    Args:
        upstreams: the services.
        trusted_proxies: how many proxies of ours stand in front; see `client_address`.
        now: returns the time, as Unix time in seconds.
    """

    def __init__(self, upstreams: Upstreams, trusted_proxies: int, now: Callable[[], float] = time.time) -> None:
        self._upstreams = upstreams
        self._trusted_proxies = trusted_proxies
        self._now = now

    async def log_in(self, call: Call[Nothing, Credentials]) -> Object:
        """Signs in. The gateway vouches for the browser's address, by which attempts are counted."""
        response = await self._upstreams.call_as_gateway(
            self._upstreams.auth.SignIn,
            auth_pb2.SignInRequest(
                email=call.body.email,
                password=call.body.password,
                client_address=client_address(call.request, self._trusted_proxies),
            ),
        )
        return self._session(response.tokens, response.user)

    async def refresh(self, call: Call[Nothing, Refresh]) -> Object:
        """Exchanges a refresh token."""
        response = await self._upstreams.call(
            self._upstreams.auth.RefreshToken, auth_pb2.RefreshTokenRequest(refresh_token=call.body.refresh_token)
        )
        return self._session(response.tokens, response.user)

    async def exchange(self, call: Call[Nothing, Exchange]) -> Object:
        """Exchanges the CRM's token."""
        response = await self._upstreams.call(
            self._upstreams.auth.ExchangeToken, auth_pb2.ExchangeTokenRequest(token=call.body.token)
        )
        return self._session(response.tokens, response.user)

    async def log_out(self, call: Call[Nothing, Nothing]) -> Object:
        """Revokes the caller's session."""
        await self._upstreams.call(self._upstreams.auth.SignOut, auth_pb2.SignOutRequest(), token=call.token)
        return {}

    def _session(self, tokens: auth_pb2.Tokens, user: user_pb2.User) -> Object:
        return {
            "accessToken": tokens.access_token,
            "refreshToken": tokens.refresh_token,
            "expiresIn": max(0, round(tokens.expire_time.seconds - self._now())),
            "user": user_object(user),
        }

    def group(self) -> Group:
        """The rows of the table."""
        return Group(
            "auth",
            "Signing in and out",
            (
                Operation(
                    "POST",
                    "/api/auth/login",
                    "logIn",
                    "Exchanges an e-mail address and a password for tokens.",
                    self.log_in,
                    query=Nothing,
                    body=Credentials,
                    answer=Session,
                    public=True,
                    failures=(401,),
                ),
                Operation(
                    "POST",
                    "/api/auth/refresh",
                    "refreshTokens",
                    "Exchanges a refresh token, once, for new tokens; a repeat ends the session.",
                    self.refresh,
                    query=Nothing,
                    body=Refresh,
                    answer=Session,
                    public=True,
                    failures=(401,),
                ),
                Operation(
                    "POST",
                    "/api/auth/exchange",
                    "exchangeToken",
                    "Exchanges a token that a trusted CRM signed for tokens of this API; needs no other sign-up.",
                    self.exchange,
                    query=Nothing,
                    body=Exchange,
                    answer=Session,
                    public=True,
                    failures=(401,),
                ),
                Operation(
                    "POST",
                    "/api/auth/logout",
                    "logOut",
                    "Ends the caller's session: its refresh token is revoked, its open sockets are closed.",
                    self.log_out,
                    query=Nothing,
                    body=Nothing,
                    answer=Empty,
                ),
            ),
        )
