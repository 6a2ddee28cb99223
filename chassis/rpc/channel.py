"""Channels to other services, and the tokens that this process shows there."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import grpc
from parley.auth.v1 import auth_pb2, auth_pb2_grpc

from chassis.errors import AppError
from chassis.rpc.reloading_channel import ReloadingChannel
from chassis.rpc.status import from_rpc_error
from chassis.rpc.tls import TlsFiles, grpc_channel_credentials

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
CALL_TIMEOUT_SECONDS: Final = 10.0
_RENEW_BEFORE_SECONDS: Final = 120.0
_OPTIONS: Final = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_retries", 0),  # who repeats a call decides so where it is made
)

Metadata = tuple[tuple[str, str], ...]


def open_channel(target: str, tls: TlsFiles | None = None) -> grpc.aio.Channel:
    """Opens a channel that reconnects by itself; the caller closes it. Nothing connects before the first call.

    Args:
        target: host:port.
        tls: what to show, to one whose certificate has the target's host as a name; without it there is no TLS.
    """
    if tls is None:
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    return ReloadingChannel(
        grpc_channel_credentials(tls), lambda shown: grpc.aio.secure_channel(target, shown, options=_OPTIONS)
    )


def bearer(token: str) -> Metadata:
    """The metadata that shows `token`."""
    return (("authorization", f"Bearer {token}"),)


async def fetch_keys(channel: grpc.aio.Channel) -> str:
    """Asks AuthService for the keys that tokens are verified with. Raises AppError when it can't be reached."""
    try:
        response = await auth_pb2_grpc.AuthServiceStub(channel).ListKeys(
            auth_pb2.ListKeysRequest(), timeout=CALL_TIMEOUT_SECONDS
        )
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error
    return response.jwks


class ServiceTokens:
    """This process's own tokens, one for each organization it acts in, renewed before they expire.

    Args:
        channel: to AuthService.
        service: the name that AuthService knows this process by.
        secret: the secret that goes with it.
    """

    def __init__(self, channel: grpc.aio.Channel, service: str, secret: str) -> None:
        self._stub = auth_pb2_grpc.AuthServiceStub(channel)
        self._service = service
        self._secret = secret
        self._tokens: dict[str, tuple[str, float]] = {}
        self._renewing = asyncio.Lock()

    async def metadata(self, organization_id: str = "") -> Metadata:
        """The metadata of a call in an organization, or in none. Raises AppError when no token can be had."""
        token, expires_at = self._tokens.get(organization_id, ("", 0.0))
        if expires_at - time.time() < _RENEW_BEFORE_SECONDS:
            token = await self._renew(organization_id)
        return bearer(token)

    async def _renew(self, organization_id: str) -> str:
        async with self._renewing:
            token, expires_at = self._tokens.get(organization_id, ("", 0.0))
            if expires_at - time.time() >= _RENEW_BEFORE_SECONDS:
                return token
            try:
                return await self._issue(organization_id)
            except AppError:
                if expires_at > time.time():
                    return token
                raise

    async def _issue(self, organization_id: str) -> str:
        request = auth_pb2.IssueServiceTokenRequest(
            service=self._service, secret=self._secret, organization_id=organization_id
        )
        try:
            response = await self._stub.IssueServiceToken(request, timeout=CALL_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        self._tokens[organization_id] = (response.access_token, response.expire_time.seconds)
        return response.access_token
