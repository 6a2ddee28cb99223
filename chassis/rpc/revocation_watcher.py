"""Fills a process's `RevocationCache` from AuthService.WatchRevocations.

The stream first repeats the recent revocations, so a process that starts or reconnects misses none. A process that has
never reached auth still serves: see docs/adr/0013-revocations-in-every-process.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
from parley.auth.v1 import auth_pb2, auth_pb2_grpc
from parley.auth.v1.auth_pb2 import RevocationReason, WatchRevocationsResponse

from chassis.backoff import Backoff
from chassis.errors import AppError
from chassis.process.logs import logger
from chassis.revocations import CONNECTED, RevocationCache
from chassis.rpc.channel import Metadata
from chassis.rpc.status import from_rpc_error

RECENT_KEY: Final = "x-parley-recent"
"""The key of WatchRevocations' initial metadata: the number of recent revocations that come first."""

_READY_SECONDS: Final = 3.0
_BACKOFF: Final = Backoff(base_seconds=0.1, cap_seconds=1.0)
_HEALTHY_AFTER_SECONDS: Final = 5.0
_QUIET_FAILURES_AT_START: Final = 8
_WITHOUT_EXPIRY_SECONDS: Final = 3_600.0

_log = logger("revocations")


def _ignore(revocation: WatchRevocationsResponse) -> None:
    pass


def _ignore_connection(connected: bool) -> None:
    pass


class RevocationWatcher:
    """Watches revocations.

    Args:
        channel: to AuthService.
        metadata: returns the metadata of a call with this process's token, which needs the scope "revocations.watch".
        cache: receives the revocations.
        on_revoked: called with each revocation, once it is in the cache.
        on_connected: called with whether the stream is open, when that changes.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        metadata: Callable[[], Awaitable[Metadata]],
        cache: RevocationCache,
        on_revoked: Callable[[WatchRevocationsResponse], None] = _ignore,
        on_connected: Callable[[bool], None] = _ignore_connection,
    ) -> None:
        self._stub = auth_pb2_grpc.AuthServiceStub(channel)
        self._metadata = metadata
        self._cache = cache
        self._on_revoked = on_revoked
        self._on_connected = on_connected
        self._has_recent = asyncio.Event()
        CONNECTED.set(0)

    async def wait_ready(self, timeout_seconds: float = _READY_SECONDS) -> None:
        """Waits for the recent revocations, for a limited time: auth may be away, and callers must be served."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._has_recent.wait()
        except TimeoutError:
            _log.warning("no_revocations_yet")

    async def run(self) -> None:
        """Watches for ever; to be supervised."""
        failures, was_open = 0, False
        while True:
            began = time.monotonic()
            reason = "ENDED"
            try:
                await self.run_stream()
            except AppError as error:
                reason = error.reason
            except grpc.aio.AioRpcError as error:
                reason = from_rpc_error(error).reason
            is_healthy = time.monotonic() - began > _HEALTHY_AFTER_SECONDS
            failures, was_open = (1, True) if is_healthy else (failures + 1, was_open)
            # All processes start at the same time, so the first failures are expected.
            log = _log.warning if was_open or failures > _QUIET_FAILURES_AT_START else _log.debug
            log("revocations_disconnected", reason=reason, failures=failures)
            await asyncio.sleep(_BACKOFF.delay_seconds(failures))

    async def run_stream(self) -> None:
        """Watches until the stream ends. Raises AppError, AioRpcError."""
        call = self._stub.WatchRevocations(auth_pb2.WatchRevocationsRequest(), metadata=await self._metadata())
        try:
            missing = _recent_count(await call.initial_metadata())
            while True:
                if missing == 0:
                    self._has_recent.set()
                    CONNECTED.set(1)
                    self._on_connected(True)
                missing -= 1
                response: Any = await call.read()
                if response is grpc.aio.EOF:
                    return
                self._apply(response)
        finally:
            CONNECTED.set(0)
            self._on_connected(False)
            call.cancel()  # gRPC never frees an abandoned call

    def _apply(self, revocation: WatchRevocationsResponse) -> None:
        expires_at = revocation.expire_time.seconds or time.time() + _WITHOUT_EXPIRY_SECONDS
        organization_id, user_id = revocation.organization_id, revocation.user_id
        if revocation.session_id:
            self._cache.revoke_session(organization_id, user_id, revocation.session_id, expires_at)
        else:
            disabled = revocation.reason == RevocationReason.REVOCATION_REASON_ACCOUNT_DISABLED
            self._cache.revoke_user(organization_id, user_id, revocation.user_revision, expires_at, disabled=disabled)
        self._on_revoked(revocation)


def _recent_count(metadata: Any) -> int:
    return int(dict(metadata or ()).get(RECENT_KEY, 0))
