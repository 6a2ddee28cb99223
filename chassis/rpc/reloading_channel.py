"""A gRPC channel whose new calls use the certificate that is currently on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import grpc

from chassis.rpc.tls import Reloading

_Open = Callable[[grpc.ChannelCredentials], grpc.aio.Channel]


class ReloadingChannel(grpc.aio.Channel):
    """Opens another channel for new calls when its credentials were renewed.

    Calls in progress stay on the previous channel until the credentials are renewed once more. That takes weeks, in
    which streams are reopened for other reasons.

    Args:
        credentials: the credentials.
        open_with: opens a channel with credentials.
    """

    def __init__(self, credentials: Reloading[grpc.ChannelCredentials], open_with: _Open) -> None:
        self._credentials = credentials
        self._open = open_with
        self._in_use = credentials.current()
        self._channel = open_with(self._in_use)
        self._previous: grpc.aio.Channel | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def current(self) -> grpc.aio.Channel:
        """Returns the channel for new calls."""
        credentials = self._credentials.current()
        if credentials is not self._in_use:
            if self._previous is not None:
                closing = asyncio.ensure_future(self._previous.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
            self._previous, self._channel, self._in_use = self._channel, self._open(credentials), credentials
        return self._channel

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Closes the open channels; calls have `grace` seconds to end."""
        channels = [channel for channel in (self._channel, self._previous) if channel is not None]
        await asyncio.gather(*(channel.close(grace) for channel in channels), *self._closing)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Returns the state of the channel for new calls."""
        return self.current().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits for the state of the channel for new calls to change."""
        await self.current().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Waits until the channel for new calls is connected."""
        await self.current().channel_ready()

    def unary_unary(self, *arguments: Any, **options: Any) -> Any:
        """Returns a callable for a method, as `grpc.aio.Channel` does."""
        return _Method(self, "unary_unary", arguments, options)

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        """Returns a callable for a method, as `grpc.aio.Channel` does."""
        return _Method(self, "unary_stream", arguments, options)

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:
        """Returns a callable for a method, as `grpc.aio.Channel` does."""
        return _Method(self, "stream_unary", arguments, options)

    def stream_stream(self, *arguments: Any, **options: Any) -> Any:
        """Returns a callable for a method, as `grpc.aio.Channel` does."""
        return _Method(self, "stream_stream", arguments, options)


class _Method:
    """A method of a service. Stubs create it once, and each call uses the current channel."""

    def __init__(self, channel: ReloadingChannel, kind: str, arguments: Sequence[Any], options: dict[str, Any]) -> None:
        self._channel = channel
        self._bind: Callable[[grpc.aio.Channel], Any] = lambda current: getattr(current, kind)(*arguments, **options)
        self._bound_to = channel.current()
        self._callable: Any = self._bind(self._bound_to)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        current = self._channel.current()
        if current is not self._bound_to:
            self._bound_to, self._callable = current, self._bind(current)
        return self._callable(*arguments, **options)
