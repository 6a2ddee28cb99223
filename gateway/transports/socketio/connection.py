"""A client in a Socket.IO namespace, as a connection of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.connections.connection import Connection
from gateway.connections.dispatcher import RequestDispatcher
from gateway.dialects.base import Dialect, WireFormat
from gateway.metrics import CLOSED
from gateway.sessions.session import Close, Session
from gateway.transports.socketio.engine import SEPARATOR, SessionOutput
from gateway.transports.websocket.framing import text_frame
from gateway.wire import close_codes

ROOT: Final = "/"


class SocketIoConnection(Connection):
    """One client in one namespace.

    Args:
        session: its state.
        wire_formats: the formats of packets: for polling, and for a WebSocket.
        output: the output of its Engine.IO session.
        dispatcher: handles its frames and its end.
        end: ends it in python-socketio; the argument says whether the client must not reconnect.

    Attributes:
        settled: set once it is ready, or closed.
    """

    def __init__(
        self,
        *,
        session: Session,
        wire_formats: tuple[WireFormat, WireFormat],
        output: SessionOutput,
        dispatcher: RequestDispatcher,
        end: Callable[[bool], None],
    ) -> None:
        self.session = session
        self.closing = False
        self.settled = asyncio.Event()
        session.when_ready(self.settled.set)
        self._polling, self._direct = wire_formats
        self._output = output
        self._dispatcher = dispatcher
        self._end = end

    @property
    def wire_format(self) -> WireFormat:  # type: ignore[override]  # changes when the client upgrades to a WebSocket
        """See Connection."""
        return self._direct if self._output.is_direct else self._polling

    def write(self, data: bytes) -> None:
        """See Connection."""
        if self.closing or not data:
            return
        if self._output.is_direct:
            self._output.write(data)
        elif not self._output.queue(packet.decode() for packet in data.split(SEPARATOR)[:-1]):
            self.close(close_codes.TOO_SLOW, "too slow")

    def close(self, code: int, reason: str) -> None:
        """See Connection."""
        self.end(Close(code, reason))

    def end(self, close: Close) -> None:
        """Closes; unless the close is final, by the end of the transport, after which Socket.IO's clients reconnect and
        ask their `auth` function for a token again."""
        if self.closing:
            return
        CLOSED.labels(str(close.code)).inc()
        if close.code != close_codes.TOO_SLOW:
            self.send(self.wire_format.dialect.session_closed(close))
        if not self.closing:  # what was sent may have been too much
            self.ended()
            self._end(close.is_final)

    def ended(self) -> None:
        """Removes the connection from the dispatcher: it is closed."""
        self.closing = True
        self.settled.set()
        self._dispatcher.closed(self)


def wire_formats(namespace: str, dialect: Dialect) -> tuple[WireFormat, WireFormat]:
    """Returns the formats of a dialect's packets in a namespace: for polling, and for a WebSocket."""
    prefix = b"" if namespace == ROOT else namespace.encode() + b","

    def polled(payload: bytes) -> bytes:
        return payload[:1] + prefix + payload[1:] + SEPARATOR

    def framed(payload: bytes) -> bytes:
        return text_frame(b"4" + payload[:1] + prefix + payload[1:])

    return WireFormat(dialect, polled), WireFormat(dialect, framed)
