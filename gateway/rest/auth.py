"""Signing in: tokens for a password, for a refresh token, or for a token of the CRM's own.

By hand, because sign-in passes on the browser's address, and because a session is answered in a form of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from google.protobuf.descriptor import Descriptor
from parley.auth.v1 import auth_pb2, user_pb2

from gateway.rest.contract import read_call
from gateway.rest.operation import Call, Handler, Operation, Schema
from gateway.rest.request_parsing import client_address
from gateway.rest.schemas import body_of, object_of, ref
from gateway.upstream.clients import Upstreams
from gateway.wire.json_objects import Object, user_object
from gateway.wire.json_reader import request_fields

SESSION: Schema = object_of(
    {
        "accessToken": {"type": "string", "description": "A JWT for the Authorization header: Bearer <token>."},
        "refreshToken": {"type": "string", "description": "For /api/auth/refresh, once."},
        "expiresIn": {"type": "integer", "description": "How long the access token is valid, in seconds."},
        "user": ref(user_pb2.User.DESCRIPTOR),
    },
    description="The tokens of a session.",
)


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

    async def log_in(self, call: Call) -> Object:
        """Signs in. The gateway vouches for the browser's address, by which attempts are counted."""
        request = await read_call(call, auth_pb2.SignInRequest.DESCRIPTOR, has_body=True)
        request.client_address = client_address(call.request, self._trusted_proxies)
        response = await self._upstreams.call_as_gateway(self._upstreams.auth.SignIn, request)
        return self._session(response.tokens, response.user)

    async def refresh(self, call: Call) -> Object:
        """Exchanges a refresh token."""
        request = await read_call(call, auth_pb2.RefreshTokenRequest.DESCRIPTOR, has_body=True)
        response = await self._upstreams.call(self._upstreams.auth.RefreshToken, request)
        return self._session(response.tokens, response.user)

    async def exchange(self, call: Call) -> Object:
        """Exchanges the CRM's token."""
        request = await read_call(call, auth_pb2.ExchangeTokenRequest.DESCRIPTOR, has_body=True)
        response = await self._upstreams.call(self._upstreams.auth.ExchangeToken, request)
        return self._session(response.tokens, response.user)

    def _session(self, tokens: auth_pb2.Tokens, user: user_pb2.User) -> Object:
        return {
            "accessToken": tokens.access_token,
            "refreshToken": tokens.refresh_token,
            "expiresIn": max(0, round(tokens.expire_time.seconds - self._now())),
            "user": user_object(user),
        }

    def operations(self) -> tuple[Operation, ...]:
        """Returns the rows of the table."""
        return (
            _row(
                "/api/auth/login",
                "logIn",
                "Exchanges an e-mail address and a password for tokens.",
                self.log_in,
                auth_pb2.SignInRequest.DESCRIPTOR,
            ),
            _row(
                "/api/auth/refresh",
                "refreshTokens",
                "Exchanges a refresh token, once, for new tokens; a repeat ends the session.",
                self.refresh,
                auth_pb2.RefreshTokenRequest.DESCRIPTOR,
            ),
            _row(
                "/api/auth/exchange",
                "exchangeToken",
                "Exchanges a token that a trusted CRM signed for tokens of this API; needs no other sign-up.",
                self.exchange,
                auth_pb2.ExchangeTokenRequest.DESCRIPTOR,
            ),
        )


def _row(path: str, name: str, summary: str, handler: Handler, request: Descriptor) -> Operation:
    body = body_of(request_fields(request))
    return Operation("POST", path, name, summary, handler, answer=SESSION, body=body, public=True)
