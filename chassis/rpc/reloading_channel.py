"""A gRPC channel whose calls go by the certificate that is on disk when they begin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import grpc

from chassis.rpc.tls import Renewed

_Open = Callable[[grpc.ChannelCredentials], grpc.aio.Channel]


class ReloadingChannel(grpc.aio.Channel):
    """Opens a channel anew when its credentials were renewed, for the calls that begin from then on.

    Calls that are under way stay where they are until the credentials are renewed once more: weeks, in which streams
    are begun anew for other reasons.

    Args:
        credentials: what is shown.
        open_with: opens a channel that shows it.
    """

    def __init__(self, credentials: Renewed[grpc.ChannelCredentials], open_with: _Open) -> None:
        self._credentials = credentials
        self._open = open_with
        self._shown = credentials.current()
        self._channel = open_with(self._shown)
        self._before: grpc.aio.Channel | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def current(self) -> grpc.aio.Channel:
        """The channel for calls that begin now."""
        credentials = self._credentials.current()
        if credentials is not self._shown:
            if self._before is not None:
                closing = asyncio.ensure_future(self._before.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
            self._before, self._channel, self._shown = self._channel, self._open(credentials), credentials
        return self._channel

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Closes what is open; calls have `grace` to end, in s."""
        open_ones = [channel for channel in (self._channel, self._before) if channel is not None]
        await asyncio.gather(*(channel.close(grace) for channel in open_ones), *self._closing)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """The state of the channel for calls that begin now."""
        return self.current().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits for the state of that channel to change."""
        await self.current().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Waits until that channel is connected."""
        await self.current().channel_ready()

    def unary_unary(self, *arguments: Any, **options: Any) -> Any:
        """A method of the service, as of `grpc.aio.Channel`."""
        return _Method(self, "unary_unary", arguments, options)

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        """A method of the service, as of `grpc.aio.Channel`."""
        return _Method(self, "unary_stream", arguments, options)

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:
        """A method of the service, as of `grpc.aio.Channel`."""
        return _Method(self, "stream_unary", arguments, options)

    def stream_stream(self, *arguments: Any, **options: Any) -> Any:
        """A method of the service, as of `grpc.aio.Channel`."""
        return _Method(self, "stream_stream", arguments, options)


class _Method:
    """A method of a service, for stubs that are made once: each call takes the channel of its time."""

    def __init__(self, channel: ReloadingChannel, kind: str, arguments: Sequence[Any], options: dict[str, Any]) -> None:
        self._channel = channel
        self._make: Callable[[grpc.aio.Channel], Any] = lambda current: getattr(current, kind)(*arguments, **options)
        self._made_of = channel.current()
        self._made: Any = self._make(self._made_of)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        current = self._channel.current()
        if current is not self._made_of:
            self._made_of, self._made = current, self._make(current)
        return self._made(*arguments, **options)
