"""Channels to other services, and this process's tokens for calls through them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import grpc
from parley.auth.v1 import auth_pb2, auth_pb2_grpc

from chassis.backoff import Backoff
from chassis.rpc.reloading_channel import ReloadingChannel
from chassis.rpc.status import from_rpc_error
from chassis.rpc.tls import TlsFiles, grpc_channel_credentials
from chassis.single_flight import SingleFlight

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
CALL_TIMEOUT_SECONDS: Final = 10.0
_RENEW_BEFORE_SECONDS: Final = 120.0
_BACKOFF: Final = Backoff(base_seconds=0.1, cap_seconds=1.0)
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
    ("grpc.enable_retries", 0),  # callers decide on retries: not every call may be repeated
)

Metadata = tuple[tuple[str, str], ...]
T = TypeVar("T")


def open_channel(target: str, tls: TlsFiles | None = None) -> grpc.aio.Channel:
    """Opens a channel that reconnects by itself; it connects on the first call, and the caller closes it.

    Args:
        target: host:port.
        tls: this process's certificate, for a server whose certificate names the target's host; None for no TLS.
    """
    if tls is None:
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    return ReloadingChannel(
        grpc_channel_credentials(tls),
        lambda credentials: grpc.aio.secure_channel(target, credentials, options=_OPTIONS),
    )


def bearer(token: str) -> Metadata:
    """Returns the metadata of a call with a token."""
    return (("authorization", f"Bearer {token}"),)


async def retry_unavailable(call: Callable[[float], Awaitable[T]], timeout_seconds: float) -> T:
    """Makes an idempotent RPC, and repeats it with backoff while it fails with UNAVAILABLE, until the timeout.

    Processes start in any order, so a service's first callers may come before it, or before its stores.

    Args:
        call: makes one attempt, given its timeout in s.
        timeout_seconds: the timeout of all attempts together.

    Raises:
        AppError: the error of the last attempt.
    """
    deadline = time.monotonic() + timeout_seconds
    failures = 0
    while True:
        try:
            return await call(max(0.0, deadline - time.monotonic()))
        except grpc.aio.AioRpcError as error:
            failures += 1
            delay = _BACKOFF.delay_seconds(failures)
            if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() + delay >= deadline:
                raise from_rpc_error(error) from error
        await asyncio.sleep(delay)


async def fetch_keys(channel: grpc.aio.Channel, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> str:
    """Fetches the keys that verify tokens from AuthService, retrying while it is unavailable. Raises AppError."""
    stub = auth_pb2_grpc.AuthServiceStub(channel)
    response = await retry_unavailable(
        lambda seconds: stub.ListKeys(auth_pb2.ListKeysRequest(), timeout=seconds), timeout_seconds
    )
    return response.jwks


class ServiceTokens:
    """This process's tokens, one for each organization that it acts in; renews them before they expire.

    Args:
        channel: to AuthService.
        service: this process's name for AuthService.
        secret: the secret of that name.
        timeout_seconds: how long to retry while AuthService is unavailable and there is no valid token.
    """

    def __init__(
        self, channel: grpc.aio.Channel, service: str, secret: str, timeout_seconds: float = CALL_TIMEOUT_SECONDS
    ) -> None:
        self._stub = auth_pb2_grpc.AuthServiceStub(channel)
        self._service = service
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._tokens: dict[str, tuple[str, float]] = {}
        self._issuing: SingleFlight[str, str] = SingleFlight()

    async def metadata(self, organization_id: str = "") -> Metadata:
        """Returns the metadata of a call in an organization, or in none. Raises AppError if there is no token."""
        token, expires_at = self._tokens.get(organization_id, ("", 0.0))
        if expires_at - time.time() < _RENEW_BEFORE_SECONDS:
            token = await self._issuing.run(organization_id, lambda: self._renew(organization_id))
        return bearer(token)

    async def _renew(self, organization_id: str) -> str:
        """Returns a new token, or the current one if it is valid and AuthService fails."""
        token, expires_at = self._tokens.get(organization_id, ("", 0.0))
        if expires_at <= time.time():
            return await retry_unavailable(lambda seconds: self._issue(organization_id, seconds), self._timeout_seconds)
        try:
            return await self._issue(organization_id, CALL_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError:
            return token

    async def _issue(self, organization_id: str, timeout_seconds: float) -> str:
        request = auth_pb2.IssueServiceTokenRequest(
            service=self._service, secret=self._secret, organization_id=organization_id
        )
        response = await self._stub.IssueServiceToken(request, timeout=timeout_seconds)
        self._tokens[organization_id] = (response.access_token, response.expire_time.seconds)
        return response.access_token
