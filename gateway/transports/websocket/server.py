"""WebSocket on picows: the upgrade from HTTP, on a listening socket of its own and on that of the HTTP interface.

picows answers an upgrade at once, so tokens are verified with the keys at hand, and `KeyRing` keeps those fresh.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec
from picows import (
    WSAutoPingStrategy,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # its stub leaves it out

from chassis.errors import AppError, unexpected_error
from chassis.process.logs import logger
from chassis.rpc.server import PortTakenError
from gateway.metrics import PROTOCOL_VIOLATIONS, REFUSED
from gateway.transports.websocket.handshake import UpgradeRequest, status_of
from gateway.transports.websocket.socket import WebSocketBase
from gateway.wire import json_objects

HANDSHAKE_SECONDS: Final = 10.0
_BACKLOG: Final = 4_096
_READ_BUFFER_BYTES: Final = 2_048  # to begin with: it grows with what comes

# picows drops a connection in the middle of a frame over its limit, and what it says then may get lost. So frames
# that are not far above ours are read to their end, and refused with an answer.
_READ_TO_THE_END: Final = 4

_log = logger("websocket")


class UpgradeResult(NamedTuple):
    """An upgrade is granted: what the socket is from now on, and the subprotocol, if one was agreed on."""

    socket: WebSocketBase
    subprotocol: str = ""


Admit = Callable[[UpgradeRequest], UpgradeResult]
"""Grants an upgrade. Raises AppError."""


@asynccontextmanager
async def serving_websockets(
    address: str, frame_bytes: int, admit: Admit, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serves WebSocket while the context is open; yields the port.

    On leaving, no more connections are taken; those that are open stay so.

    Args:
        address: where to listen, host:port.
        frame_bytes: the largest frame.
        admit: decides about upgrades.
        tls: how connections are encrypted; without it they are not.
    """
    host, _, port = address.rpartition(":")
    try:
        server = await ws_create_server(
            _Upgrades(admit).answer,
            host.strip("[]"),
            int(port),
            websocket_handshake_timeout=HANDSHAKE_SECONDS,
            logger_name=_PicowsLog(),  # type: ignore[arg-type]  # what of a logger picows uses
            enable_auto_pong=False,  # pings count as frames, so that a flood of them is noticed
            max_frame_size=frame_bytes * _READ_TO_THE_END,
            read_buffer_init_size=_READ_BUFFER_BYTES,
            backlog=_BACKLOG,
            ssl=tls,
            # Its own TLS knows nothing of contexts that change with what is greeted, and crashes the process.
            use_aiofastnet=False if tls else None,
        )
    except OSError as error:
        raise PortTakenError(f"can't listen on {address}: the port is taken or the address is not ours") from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def websocket_protocol(frame_bytes: int, admit: Admit) -> type[asyncio.Protocol]:
    """What uvicorn is to make of upgrades on its own socket; arguments as of `serving_websockets`."""
    answer = _Upgrades(admit).answer

    class Protocol(WSProtocol):  # type: ignore[misc]
        """Takes over a connection from uvicorn."""

        def __init__(self, config: object, server_state: object, app_state: object) -> None:
            super().__init__(
                *(None, None, False, answer, _PicowsLog(), True, HANDSHAKE_SECONDS),
                *(False, 0.0, 0.0, WSAutoPingStrategy.PING_WHEN_IDLE),
                *(False, frame_bytes * _READ_TO_THE_END, None, _READ_BUFFER_BYTES),
            )

        def data_received(self, data: bytes) -> None:
            """Takes the request that uvicorn has read already."""
            while data:
                room = self.get_buffer(len(data))
                taken = data[: len(room)]
                room[: len(taken)] = taken
                self.buffer_updated(len(taken))
                data = data[len(taken) :]

    return Protocol


class _Upgrades:
    def __init__(self, admit: Admit) -> None:
        self._admit = admit

    def answer(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        """What becomes of an upgrade: a connection, or a refusal with its status."""
        headers = request.headers
        if "upgrade" in [token.strip().lower() for token in headers.get("Connection", "").split(",")]:
            headers["Connection"] = "Upgrade"  # picows knows no list here; Firefox sends "keep-alive, Upgrade"
        try:
            granted = self._admit(
                UpgradeRequest(
                    target=request.path.decode("latin-1"),
                    host=headers.get("Host", ""),
                    origin=headers.get("Origin"),
                    authorization=headers.get("Authorization", ""),
                    subprotocols=headers.getall("Sec-WebSocket-Protocol", []),
                )
            )
        except AppError as error:
            return _refused(error)
        except Exception as error:  # picows would tell the peer its text
            return _refused(unexpected_error(_log, "upgrade_failed", error))
        agreed = {"Sec-WebSocket-Protocol": granted.subprotocol} if granted.subprotocol else {}
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(agreed), granted.socket)


def _refused(error: AppError) -> WSUpgradeResponseWithListener:
    status = status_of(error)
    REFUSED.labels(str(status.value)).inc()
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1_000))
    body = msgspec.json.encode({"error": json_objects.error_object(error)})
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(status, body, headers), None)


class _PicowsLog:
    """Takes what picows would log: its peers' mistakes are counted, its own are logged."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # logging's name
        """Nothing is put together only to be logged."""
        return False

    def log(self, level: int, message: str, *args: Any) -> None:
        """Passed over."""

    def debug(self, message: str, *args: Any) -> None:
        """Passed over."""

    def info(self, message: str, *args: Any) -> None:
        """Passed over: each connection and its address."""

    def warning(self, message: str, *args: Any) -> None:
        """Passed over: buffers that fill, which `WebSocketConnection.flush` deals with."""

    def error(self, message: str, *args: Any) -> None:
        """A peer broke the protocol; the connection was closed."""
        PROTOCOL_VIOLATIONS.inc()

    def exception(self, message: str, *args: Any) -> None:
        """A fault of picows or of ours."""
        _log.error("websocket_failed", exc_info=True)
