"""One connection, from its first event to its end: frames are read, requests are written, a farewell is heeded."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from parley_client.calls import Calls
from parley_client.errors import FrameError
from parley_client.events import SessionClosing, SessionReady
from parley_client.frames import EventFrame, decode_body, decode_event, decode_frame
from parley_client.reconnection import CloseCode
from parley_client.transport import Transport, TransportClosedError

_logger = logging.getLogger(__name__)
# How long a connection that the server is about to close is kept for the answers that are still to come.
_FAREWELL_SECONDS = 5.0


class Session:
    """One open connection.

    Args:
        transport: the connection.
        calls: the requests to write and to answer.
        on_event: called with each event after the first, in the order in which they came.
        work: what is to be done while the session lasts; cancelled at its end.
    """

    def __init__(
        self,
        transport: Transport,
        calls: Calls,
        on_event: Callable[[EventFrame], None],
        work: Callable[[], Awaitable[None]],
    ) -> None:
        self._transport = transport
        self._calls = calls
        self._on_event = on_event
        self._work = work
        self._closing = asyncio.Event()
        self.reconnect_after_ms: int | None = None

    async def open(self, timeout_seconds: float) -> SessionReady:
        """Waits for `session.ready`.

        Raises:
            TransportClosedError: the connection ended first.
            TimeoutError, FrameError: it did not come in time, or something else did.
        """
        async with asyncio.timeout(timeout_seconds):
            frame = decode_frame(await self._transport.receive())
        if not isinstance(frame, EventFrame) or frame.name != SessionReady.name:
            raise FrameError("the first frame was not session.ready")
        return decode_body(frame.body, SessionReady)

    async def run(self) -> int:
        """Serves the connection to its end; returns the close code."""
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self._write()), group.create_task(self._farewell())]
            helpers.append(group.create_task(_run(self._work)))
            code = await self._read()
            for helper in helpers:
                helper.cancel()
        return code

    async def _read(self) -> int:
        try:
            while True:
                frame = decode_frame(await self._transport.receive())
                if isinstance(frame, EventFrame):
                    self._take_event(frame)
                else:
                    self._calls.answer(frame)
        except TransportClosedError as closed:
            return closed.code
        except FrameError:
            # What else was lost with it cannot be known; the next connection makes up for it.
            _logger.warning("frame_not_understood")
            await self._transport.close(CloseCode.PROTOCOL_ERROR)
            return CloseCode.PROTOCOL_ERROR

    def _take_event(self, frame: EventFrame) -> None:
        if frame.name == SessionClosing.name:
            self.reconnect_after_ms = _reconnect_after_ms(frame)
            self._closing.set()
        self._on_event(frame)

    async def _write(self) -> None:
        try:
            while True:
                for frame in self._calls.take_unsent():
                    await self._transport.send(frame)
                    if self._closing.is_set():
                        return
                await self._calls.wait_unsent()
                if self._closing.is_set():
                    return
        except TransportClosedError:
            # Reading ends for the same reason, and says why.
            return

    async def _farewell(self) -> None:
        """When the server announces the end: no new requests, the open ones answered, then goodbye."""
        await self._closing.wait()
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._calls.wait_idle()
        except TimeoutError:
            _logger.info("farewell_with_open_requests")
        await self._transport.close()


def _reconnect_after_ms(frame: EventFrame) -> int | None:
    event = decode_event(frame)
    return event.reconnect_after_ms if isinstance(event, SessionClosing) else None


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()
