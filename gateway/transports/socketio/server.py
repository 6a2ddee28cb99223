"""python-socketio's server, past which events go: what of it is ours, and what it says to whom."""

from __future__ import annotations

import sys
from typing import Any, Final, Protocol

import socketio
from socketio.packet import CONNECT_ERROR, DISCONNECT, EVENT

from chassis.process.logs import logger
from gateway.metrics import PROTOCOL_VIOLATIONS
from gateway.transports.socketio.engine import EngineServer, SessionOutput
from gateway.transports.websocket.framing import text_frame

UNREADABLE: Final = (ValueError, LookupError, TypeError, RecursionError)
"""What python-socketio and python-engineio raise where a packet is none."""

_NO_NAMESPACE: Final = {"message": "Invalid namespace"}
"""What clients are told by Socket.IO's own server; python-socketio's words are of a form that they don't read."""

_log = logger("socketio")


class SocketIoCallbacks(Protocol):
    """Who looks after clients."""

    def output(self, engine_sid: str) -> SessionOutput | None:
        """The way out to a client that is connected."""

    def client_connected(self, engine_sid: str) -> bool:
        """A client has come: whether it is let in."""

    def client_disconnected(self, engine_sid: str) -> None:
        """A client has gone."""

    def is_used(self, engine_sid: str) -> bool:
        """Whether a client is in any namespace."""

    async def disconnect_client(self, engine_sid: str) -> None:
        """Ends a client's connection."""

    def take_polled(self, engine_sid: str, packet: str) -> None:
        """Takes an event packet that came by polling."""

    def violated(self, engine_sid: str) -> None:
        """A client broke Socket.IO's own rules."""


class SocketIoServer(socketio.AsyncServer):  # type: ignore[misc]  # socketio has no types
    """python-socketio's server, past which events go."""

    def __init__(self, harness: SocketIoCallbacks, **options: Any) -> None:
        self._hall = harness
        super().__init__(
            client_manager=socketio.AsyncManager(),
            async_handlers=False,
            logger=_Log(),
            engineio_logger=_Log(),
            **options,
        )

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    async def send_away(self, engine_sid: str, namespace: str) -> None:
        """Tells a client not to come back."""
        sid = self.manager.sid_from_eio_sid(engine_sid, namespace)
        if sid is not None:
            await self.disconnect(sid, namespace=namespace)
        if not self._hall.is_used(engine_sid):
            await self._hall.disconnect_client(engine_sid)

    async def _send_packet(self, eio_sid: str, pkt: Any) -> None:
        """Sends by the same way as events are, so that all comes in order."""
        output = self._hall.output(eio_sid)
        if output is None:
            return
        if pkt.packet_type == CONNECT_ERROR and isinstance(pkt.data, str):
            pkt.data = _NO_NAMESPACE
        packet = pkt.encode()
        if output.is_direct:
            output.write(text_frame(b"4" + packet.encode()))
        else:
            output.queue((packet,))

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> bool | None:
        if not self._hall.client_connected(eio_sid):
            return False
        await super()._handle_eio_connect(eio_sid, environ)
        return None

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        await super()._handle_eio_disconnect(eio_sid, reason)
        self._hall.client_disconnected(eio_sid)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        if isinstance(data, str) and data.startswith(str(EVENT)):
            self._hall.take_polled(eio_sid, data)
            return
        if not isinstance(data, str) or data[:1] not in _HANDLED:
            self._hall.violated(eio_sid)  # attachments among them, which no front-end has
            return
        try:
            await super()._handle_eio_message(eio_sid, data)
        except UNREADABLE:
            self._hall.violated(eio_sid)


_HANDLED: Final = frozenset({"0", str(DISCONNECT), "3"})


class _Log:
    """What python-socketio and python-engineio would log is their clients' doing; ours is logged where it happens."""

    level = 0

    def info(self, *_: object) -> None:
        """Passed over."""

    def warning(self, *_: object) -> None:
        """Passed over."""

    def error(self, *_: object) -> None:
        """A client's mistake."""
        PROTOCOL_VIOLATIONS.inc()

    def exception(self, event: object, *_: object) -> None:
        """What they couldn't read, or a fault of ours or theirs."""
        if isinstance(sys.exception(), UNREADABLE):
            PROTOCOL_VIOLATIONS.inc()
        else:
            _log.error("socketio_failed", exc_info=True)
