"""A WebSocket as bytes: reads and writes frames, and closes the connection. Subclasses interpret the messages."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from chassis.errors import AppError, InvalidArgumentError
from chassis.process.logs import log_incident, logger
from gateway.connections.dispatcher import RequestDispatcher
from gateway.metrics import CLOSED, HotPathCounters
from gateway.sessions.session import FrameRate, SessionLimits
from gateway.wire import close_codes

LINGER_SECONDS: Final = 5.0
"""How long a peer has to receive what was sent and to answer the gateway's close frame."""

_NORMAL: Final = 1000
_LARGEST_CODE: Final = 4999
_TEXT: Final = WSMsgType.TEXT

_log = logger("websocket")


class WriteScheduler:
    """Writes each socket's pending data once in a turn of the event loop."""

    def __init__(self) -> None:
        self._waiting: list[WebSocketBase] = []

    def add(self, socket: WebSocketBase) -> None:
        """Schedules a socket's `flush` before the next turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush_all)
        self._waiting.append(socket)

    def _flush_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for socket in waiting:
            socket.flush()


@dataclass(frozen=True, slots=True)
class Liveness:
    """How often to ping a peer, and after what silence to close the connection."""

    ping_seconds: float
    idle_timeout_seconds: float


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """What all connections of a gateway share.

    Attributes:
        limits: the limits of one connection.
        liveness: the times for pings and silence.
        max_send_buffer_bytes: a connection with more unsent bytes is closed.
        write_scheduler: schedules writes.
        counters: counts frames and bytes.
        dispatcher: handles frames and the end of connections.
    """

    limits: SessionLimits
    liveness: Liveness
    max_send_buffer_bytes: int
    write_scheduler: WriteScheduler
    counters: HotPathCounters
    dispatcher: RequestDispatcher


class WebSocketBase(WSListener):
    """One open WebSocket."""

    def __init__(self, options: ConnectionOptions) -> None:
        self._frame_bytes = options.limits.frame_bytes
        self._rate = FrameRate(options.limits.frames_per_second)
        self._liveness = options.liveness
        self._write_scheduler = options.write_scheduler
        self._counters = options.counters
        self._max_send_buffer_bytes = options.max_send_buffer_bytes
        self._loop = asyncio.get_running_loop()
        self._closing = False
        self._pending: list[bytes] = []
        self._fragments: list[bytes] | None = None
        self._fragments_bytes = 0
        self._fragments_are_text = False
        self._received_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    # --- for subclasses

    @abstractmethod
    def opened(self) -> None:
        """Called when the upgrade is complete."""

    @abstractmethod
    def received(self, text: str) -> None:
        """Called for each text message."""

    @abstractmethod
    def unreadable(self, error: AppError) -> None:
        """Called for each message without text."""

    @abstractmethod
    def ended(self) -> None:
        """Called on close; may repeat."""

    # --- output

    def write(self, data: bytes) -> None:
        """Sends framed data, soon and in order; does nothing for empty data, and once the socket is closing."""
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
            return  # flush closed it: the peer reads too slowly
        self._closing = True
        CLOSED.labels(str(code)).inc()
        self._transport.send_close(code, reason)  # type: ignore[arg-type]  # takes any code; the enum names only some
        self._set_timer(LINGER_SECONDS, self._disconnect)
        self.ended()

    def flush(self) -> None:
        """Writes the pending data; closes instead if the peer has left too much unread."""
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

    # --- callbacks of picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Called when the upgrade is complete."""
        self._transport = transport
        self._socket = transport.underlying_transport
        self.opened()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Handles a frame. An exception here is a bug, whatever the peer sent, and closes only this connection."""
        try:
            self._handle(frame)
        except Exception as error:
            incident = log_incident(_log, "frame_failed", error)
            self.close(close_codes.INTERNAL_ERROR, f"incident {incident}")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Called when the TCP connection is closed."""
        self._closing = True
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
        self.ended()

    def pause_writing(self) -> None:
        """Does nothing: `flush` checks how much is unsent."""

    def resume_writing(self) -> None:
        """Does nothing; see `pause_writing`."""

    # --- frames

    def _handle(self, frame: WSFrame) -> None:
        self._received_at = now = self._loop.time()
        self._counters.frames_in += 1
        self._counters.bytes_in += frame.payload_size
        if self._closing:
            if frame.msg_type is WSMsgType.CLOSE:
                self._transport.disconnect()
            return
        flood = self._rate.count(now)
        if flood is not None:
            self.close(flood.code, flood.reason)
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.close(close_codes.PROTOCOL_ERROR, "no extension was negotiated")
        elif frame.msg_type is _TEXT and frame.fin and self._fragments is None:
            if frame.payload_size <= self._frame_bytes:
                self._handle_text(frame)
            else:
                self._reject_oversized()
        elif frame.msg_type in _CONTROL:
            self._handle_control(frame)
        else:
            self._handle_fragment(frame)

    def _handle_text(self, frame: WSFrame) -> None:
        try:
            text = frame.get_payload_as_utf8_text()
        except UnicodeDecodeError:
            self.unreadable(_NOT_UTF8)
        else:
            self.received(text)

    def _handle_control(self, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.PING:
            self._transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            self._answer_close(frame.get_payload_as_bytes())

    def _answer_close(self, payload: bytes) -> None:
        """Answers the peer's close frame with its own code, and disconnects."""
        code = int.from_bytes(payload[:2]) if len(payload) > 1 else _NORMAL
        self._closing = True
        self._transport.send_close(code if _NORMAL <= code <= _LARGEST_CODE else _NORMAL)  # type: ignore[arg-type]
        self._transport.disconnect()

    def _handle_fragment(self, frame: WSFrame) -> None:
        """Collects the frames of a fragmented or binary message."""
        if frame.msg_type is WSMsgType.CONTINUATION:
            if self._fragments is None:
                self.close(close_codes.PROTOCOL_ERROR, "nothing to continue")
                return
        elif self._fragments is not None:
            self.close(close_codes.PROTOCOL_ERROR, "a message inside another message")
            return
        else:
            self._fragments, self._fragments_bytes = [], 0
            self._fragments_are_text = frame.msg_type is _TEXT
        self._fragments_bytes += frame.payload_size
        if self._fragments_bytes > self._frame_bytes:
            self._reject_oversized()
            return
        self._fragments.append(frame.get_payload_as_bytes())
        if frame.fin:
            message, self._fragments = b"".join(self._fragments), None
            self._handle_message(message)

    def _handle_message(self, message: bytes) -> None:
        if not self._fragments_are_text:
            self.unreadable(_BINARY)
            return
        try:
            text = message.decode()
        except UnicodeDecodeError:
            self.unreadable(_NOT_UTF8)
        else:
            self.received(text)

    def _reject_oversized(self) -> None:
        limit = self._frame_bytes
        self.unreadable(InvalidArgumentError("FRAME_TOO_LARGE", f"a frame has at most {limit} bytes"))
        self.close(close_codes.TOO_BIG, "frame too large")

    # --- time

    def start_pings(self) -> None:
        """Pings the peer at intervals from now on, and closes the connection when it is silent for too long."""
        self._set_timer(self._liveness.ping_seconds, self._ping)

    def _ping(self) -> None:
        silent_seconds = self._loop.time() - self._received_at
        remaining_seconds = self._liveness.idle_timeout_seconds - silent_seconds
        if remaining_seconds <= 0:
            self.close(close_codes.GOING_AWAY, "silent for too long")
            return
        self._transport.send_ping()
        self._set_timer(min(self._liveness.ping_seconds, remaining_seconds), self._ping)

    def _set_timer(self, seconds: float, callback: Callable[[], object]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, callback)

    def _disconnect(self) -> None:
        self._transport.disconnect(False)


_CONTROL: Final = frozenset({WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE})
_BINARY: Final = InvalidArgumentError("BINARY_FRAME", "frames are text")
_NOT_UTF8: Final = InvalidArgumentError("FRAME_NOT_UTF8", "the frame is not UTF-8")
