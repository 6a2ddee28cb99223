"""One WebSocket as bytes: frames in, frames out, and its end. What messages are about, its heirs know."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from chassis.errors import AppError, InvalidArgumentError
from chassis.process.logs import log_incident, logger
from gateway.metrics import CLOSED, HotPathCounters
from gateway.sessions.session import FrameRate, SessionLimits
from gateway.wire import close_codes

LINGER_SECONDS: Final = 5.0
"""How long a peer has to take what was sent and to say goodbye, once we have."""

_NORMAL: Final = 1000
_LARGEST_CODE: Final = 4999
_TEXT: Final = WSMsgType.TEXT

_log = logger("websocket")


class WriteScheduler:
    """The sockets that have something to write: each writes once in a turn of the event loop."""

    def __init__(self) -> None:
        self._waiting: list[WebSocketBase] = []

    def add(self, socket: WebSocketBase) -> None:
        """Has a socket write before the next turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._write_all)
        self._waiting.append(socket)

    def _write_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for socket in waiting:
            socket.flush()


@dataclass(frozen=True, slots=True)
class Liveness:
    """How often a peer is pinged, and after what silence it is given up."""

    ping_seconds: float
    idle_timeout_seconds: float


class WebSocketBase(WSListener):
    """One open WebSocket.

    Args:
        limits: what the peer may do.
        write_scheduler: when it writes.
        counters: where its frames are counted.
        max_send_buffer_bytes: a peer that leaves more than so many unread is given up.
    """

    def __init__(
        self,
        *,
        limits: SessionLimits,
        write_scheduler: WriteScheduler,
        counters: HotPathCounters,
        max_send_buffer_bytes: int,
    ) -> None:
        self._frame_bytes = limits.frame_bytes
        self._rate = FrameRate(limits.frames_per_second)
        self._write_scheduler = write_scheduler
        self._counters = counters
        self._max_send_buffer_bytes = max_send_buffer_bytes
        self._loop = asyncio.get_running_loop()
        self._closing = False
        self._pending: list[bytes] = []
        self._fragments: list[bytes] | None = None
        self._fragments_bytes = 0
        self._fragments_are_text = False
        self._heard_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    # --- what heirs do

    @abstractmethod
    def opened(self) -> None:
        """The upgrade is done."""

    @abstractmethod
    def received(self, text: str) -> None:
        """A message came."""

    @abstractmethod
    def unreadable(self, error: AppError) -> None:
        """A message came that has no text."""

    @abstractmethod
    def ended(self) -> None:
        """It is no more; said once or more often."""

    # --- out

    def write(self, data: bytes) -> None:
        """Sends framed data, soon and in order; does nothing with none, and once the socket is closing."""
        if data and not self._closing:
            if not self._pending:
                self._write_scheduler.add(self)
            self._pending.append(data)

    def close(self, code: int, reason: str) -> None:
        """Sends what was written, then closes; does nothing once the socket is closing."""
        if self._closing:
            return
        self.flush()
        if self._closing:
            return  # it turned out to be too slow
        self._closing = True
        CLOSED.labels(str(code)).inc()
        self._transport.send_close(code, reason)  # type: ignore[arg-type]  # any code goes; the enum names some
        self._set_timer(LINGER_SECONDS, self._disconnect)
        self.ended()

    def flush(self) -> None:
        """Writes what is pending, unless the peer has left too much unread already."""
        if self._closing or not self._pending:
            return
        pending, self._pending = self._pending, []
        if self._socket.get_write_buffer_size() > self._max_send_buffer_bytes:
            self.close(close_codes.TOO_SLOW, "too slow")
            return
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        self._socket.write(data)
        self._counters.frames_out += len(pending)
        self._counters.bytes_out += len(data)

    # --- what picows tells

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done."""
        self._transport = transport
        self._socket = transport.underlying_transport
        self.opened()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame came. Nothing that a peer sends may raise: what does is our fault, and ends this connection only."""
        try:
            self._take(frame)
        except Exception as error:
            incident = log_incident(_log, "frame_failed", error)
            self.close(close_codes.INTERNAL_ERROR, f"incident {incident}")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is gone."""
        self._closing = True
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
        self.ended()

    def pause_writing(self) -> None:
        """Left to `flush`, which looks at how much is unsent."""

    def resume_writing(self) -> None:
        """Left to `flush`."""

    # --- frames

    def _take(self, frame: WSFrame) -> None:
        self._heard_at = now = self._loop.time()
        self._counters.frames_in += 1
        self._counters.bytes_in += frame.payload_size
        if self._closing:
            if frame.msg_type is WSMsgType.CLOSE:
                self._transport.disconnect()
            return
        end = self._rate.count(now)
        if end is not None:
            self.close(*end)
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.close(close_codes.PROTOCOL_ERROR, "no extension was agreed on")
        elif frame.msg_type is _TEXT and frame.fin and self._fragments is None:
            if frame.payload_size <= self._frame_bytes:
                self._decode(frame)
            else:
                self._too_large()
        elif frame.msg_type in _CONTROL:
            self._take_control(frame)
        else:
            self._take_fragment(frame)

    def _decode(self, frame: WSFrame) -> None:
        try:
            text = frame.get_payload_as_utf8_text()
        except UnicodeDecodeError:
            self.unreadable(_NOT_UTF8)
        else:
            self.received(text)

    def _take_control(self, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.PING:
            self._transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            self._say_goodbye(frame.get_payload_as_bytes())

    def _say_goodbye(self, payload: bytes) -> None:
        """Answers the peer's close frame with its own code, and ends."""
        code = int.from_bytes(payload[:2]) if len(payload) > 1 else _NORMAL
        self._closing = True
        self._transport.send_close(code if _NORMAL <= code <= _LARGEST_CODE else _NORMAL)  # type: ignore[arg-type]
        self._transport.disconnect()

    def _take_fragment(self, frame: WSFrame) -> None:
        """Collects a message that comes in more than one frame, and any binary one."""
        if frame.msg_type is WSMsgType.CONTINUATION:
            if self._fragments is None:
                self.close(close_codes.PROTOCOL_ERROR, "nothing to continue")
                return
        elif self._fragments is not None:
            self.close(close_codes.PROTOCOL_ERROR, "a message in the middle of another")
            return
        else:
            self._fragments, self._fragments_bytes = [], 0
            self._fragments_are_text = frame.msg_type is _TEXT
        self._fragments_bytes += frame.payload_size
        if self._fragments_bytes > self._frame_bytes:
            self._too_large()
            return
        self._fragments.append(frame.get_payload_as_bytes())
        if frame.fin:
            message, self._fragments = b"".join(self._fragments), None
            self._take_message(message)

    def _take_message(self, message: bytes) -> None:
        if not self._fragments_are_text:
            self.unreadable(_BINARY)
            return
        try:
            text = message.decode()
        except UnicodeDecodeError:
            self.unreadable(_NOT_UTF8)
        else:
            self.received(text)

    def _too_large(self) -> None:
        limit = self._frame_bytes
        self.unreadable(InvalidArgumentError("FRAME_TOO_LARGE", f"a frame has at most {limit} bytes"))
        self.close(close_codes.TOO_BIG, "frame too large")

    # --- time

    def keep_alive(self, liveness: Liveness) -> None:
        """Pings the peer from now on, or gives it up when it has been silent for too long."""
        self._set_timer(liveness.ping_seconds, partial(self._beat, liveness))

    def _beat(self, liveness: Liveness) -> None:
        silent_seconds = self._loop.time() - self._heard_at
        remaining_seconds = liveness.idle_timeout_seconds - silent_seconds
        if remaining_seconds <= 0:
            self.close(close_codes.GOING_AWAY, "silent for too long")
            return
        self._transport.send_ping()
        self._set_timer(min(liveness.ping_seconds, remaining_seconds), partial(self._beat, liveness))

    def _set_timer(self, seconds: float, then: Callable[[], object]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, then)

    def _disconnect(self) -> None:
        self._transport.disconnect(False)


_CONTROL: Final = frozenset({WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE})
_BINARY: Final = InvalidArgumentError("BINARY_FRAME", "frames are text")
_NOT_UTF8: Final = InvalidArgumentError("FRAME_NOT_UTF8", "the frame is not UTF-8")
