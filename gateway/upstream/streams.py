"""Streams to the services that stay open as long as the gateway runs, independent of single connections.

A stream that ends is opened again after a delay; see `chassis.backoff`.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

import grpc

from chassis.backoff import Backoff
from chassis.errors import AppError
from chassis.process.logs import logger
from chassis.rpc.channel import Metadata
from chassis.rpc.status import from_rpc_error
from gateway.metrics import STREAM_FAILURES, STREAMS_UP

_BACKOFF: Final = Backoff(base_seconds=0.1, cap_seconds=5.0)
_HEALTHY_AFTER_SECONDS: Final = 5.0
_QUIET_FAILURES_AT_START: Final = 8

_log = logger("streams")

Q = TypeVar("Q")
R = TypeVar("R")


class _EndedError(Exception):
    """The server ended the stream without an error."""


async def keep_open(name: str, run_stream: Callable[[], Awaitable[None]]) -> None:
    """Runs a stream again each time it ends, for ever; to be supervised.

    Args:
        name: the stream's name in logs and metrics.
        run_stream: opens the stream and reads it to its end. It raises failures of the server or the network as
            AppError or AioRpcError, alone or in an ExceptionGroup. Any other exception is a bug, and propagates.
    """
    failures, was_open = 0, False
    ends = STREAM_FAILURES.labels(name)
    while True:
        began = time.monotonic()
        reason = "ENDED"
        try:
            await run_stream()
        except* (AppError, grpc.aio.AioRpcError, asyncio.InvalidStateError, _EndedError) as group:
            reason = _reason(group)
        was_healthy = time.monotonic() - began > _HEALTHY_AFTER_SECONDS
        failures, was_open = (1, True) if was_healthy else (failures + 1, was_open)
        ends.inc()
        # All processes start at the same time, so the first failures are expected.
        log = _log.warning if was_open or failures > _QUIET_FAILURES_AT_START else _log.debug
        log("stream_ended", stream=name, reason=reason, failures=failures)
        await asyncio.sleep(_BACKOFF.delay_seconds(failures))


def _reason(group: BaseExceptionGroup[Exception]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, grpc.aio.AioRpcError):
        error = from_rpc_error(error)
    return error.reason if isinstance(error, AppError) else type(error).__name__


class BidiStream(ABC, Generic[Q, R]):
    """A bidirectional stream: subclasses make its requests and handle its responses.

    Args:
        name: the name in logs and metrics.
        method: the method of a stub.
        metadata: returns the metadata of a new stream.
        heartbeat_seconds: how long the stream may be idle before `heartbeat` is sent; None for no heartbeats.
    """

    def __init__(
        self,
        name: str,
        method: grpc.aio.StreamStreamMultiCallable[Q, R],
        metadata: Callable[[], Awaitable[Metadata]],
        heartbeat_seconds: float | None = None,
    ) -> None:
        self._name = name
        self._method = method
        self._metadata = metadata
        self._heartbeat_seconds = heartbeat_seconds
        self._has_changes = asyncio.Event()
        self._up = STREAMS_UP.labels(name)

    @abstractmethod
    def first_request(self) -> Q:
        """Returns the first request of a new stream."""

    @abstractmethod
    def next_request(self) -> Q:
        """Returns the request with the changes since the previous one."""

    @abstractmethod
    def heartbeat(self) -> Q:
        """Returns a request without changes."""

    @abstractmethod
    def handle(self, response: R) -> None:
        """Handles a response."""

    def wake(self) -> None:
        """Schedules `next_request`; all changes of one turn of the event loop go together."""
        self._has_changes.set()

    async def run(self) -> None:
        """Keeps the stream open for ever; to be supervised."""
        await keep_open(self._name, self._run_stream)

    async def _run_stream(self) -> None:
        call = self._method(metadata=await self._metadata())
        try:
            self._has_changes.clear()
            await call.write(self.first_request())
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(call))
                group.create_task(self._write(call))
        finally:
            self._up.set(0)
            call.cancel()  # gRPC never frees an abandoned call

    async def _read(self, call: grpc.aio.StreamStreamCall[Q, R]) -> None:
        while True:
            response: Any = await call.read()
            if response is grpc.aio.EOF:
                raise _EndedError
            self._up.set(1)
            self.handle(response)

    async def _write(self, call: grpc.aio.StreamStreamCall[Q, R]) -> None:
        while True:
            try:
                async with asyncio.timeout(self._heartbeat_seconds):
                    await self._has_changes.wait()
            except TimeoutError:
                await call.write(self.heartbeat())
                continue
            self._has_changes.clear()
            await call.write(self.next_request())
