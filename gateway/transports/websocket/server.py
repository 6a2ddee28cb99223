"""Serves WebSocket with picows: on a listening socket of its own, and by upgrade on that of the HTTP interface.

picows answers an upgrade without awaiting, so tokens are verified with cached keys, which `JwksCache` keeps fresh.
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
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # missing from its stub

from chassis.errors import AppError, unexpected_error
from chassis.process.logs import logger
from chassis.rpc.server import PortTakenError
from gateway.metrics import PROTOCOL_VIOLATIONS, REFUSED
from gateway.transports.websocket.handshake import UpgradeRequest, status_of
from gateway.transports.websocket.socket import WebSocketBase
from gateway.wire import json_objects

HANDSHAKE_SECONDS: Final = 10.0
_BACKLOG: Final = 4_096
_READ_BUFFER_BYTES: Final = 2_048  # the initial size; it grows with larger frames

# picows disconnects in the middle of a frame above its own limit, and its close frame may get lost. So frames somewhat
# above the gateway's limit are read to their end, and rejected with an answer.
_READ_LIMIT_FACTOR: Final = 4

_log = logger("websocket")


class UpgradeResult(NamedTuple):
    """The result of an authorized upgrade: the connection, and the agreed subprotocol or an empty string."""

    socket: WebSocketBase
    subprotocol: str = ""


Upgrade = Callable[[UpgradeRequest], UpgradeResult]
"""Authorizes an upgrade and makes its connection. Raises AppError."""


@asynccontextmanager
async def serving_websockets(
    address: str, frame_bytes: int, upgrade: Upgrade, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serves WebSocket while the context is open; yields the port.

    On leaving, it stops accepting connections; open ones stay open.

    Args:
        address: the address to listen on, host:port.
        frame_bytes: the largest message from a client.
        upgrade: authorizes upgrades.
        tls: the TLS context; None for no encryption.

    Raises:
        PortTakenError: the address cannot be listened on.
    """
    host, _, port = address.rpartition(":")
    try:
        server = await ws_create_server(
            _Upgrades(upgrade).answer,
            host.strip("[]"),
            int(port),
            websocket_handshake_timeout=HANDSHAKE_SECONDS,
            logger_name=_PicowsLog(),  # type: ignore[arg-type]  # has the methods that picows calls
            enable_auto_pong=False,  # pings count as frames, so a flood of them is detected
            max_frame_size=frame_bytes * _READ_LIMIT_FACTOR,
            read_buffer_init_size=_READ_BUFFER_BYTES,
            backlog=_BACKLOG,
            ssl=tls,
            # aiofastnet does not support contexts that are replaced in the SNI callback: it crashes the process.
            use_aiofastnet=False if tls else None,
        )
    except OSError as error:
        raise PortTakenError(
            f"can't listen on {address}: the port is in use, or the address is not one of this host"
        ) from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def websocket_protocol(frame_bytes: int, upgrade: Upgrade) -> type[asyncio.Protocol]:
    """Returns the protocol that takes over upgraded connections from uvicorn; arguments as of `serving_websockets`."""
    answer = _Upgrades(upgrade).answer

    class Protocol(WSProtocol):  # type: ignore[misc]
        """Takes over a connection from uvicorn."""

        def __init__(self, config: object, server_state: object, app_state: object) -> None:
            super().__init__(
                *(None, None, False, answer, _PicowsLog(), True, HANDSHAKE_SECONDS),
                *(False, 0.0, 0.0, WSAutoPingStrategy.PING_WHEN_IDLE),
                *(False, frame_bytes * _READ_LIMIT_FACTOR, None, _READ_BUFFER_BYTES),
            )

        def data_received(self, data: bytes) -> None:
            """Takes the request that uvicorn has already read."""
            while data:
                room = self.get_buffer(len(data))
                taken = data[: len(room)]
                room[: len(taken)] = taken
                self.buffer_updated(len(taken))
                data = data[len(taken) :]

    return Protocol


class _Upgrades:
    def __init__(self, upgrade: Upgrade) -> None:
        self._upgrade = upgrade

    def answer(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        """Answers an upgrade request with a connection, or with a refusal and its status."""
        headers = request.headers
        if "upgrade" in [token.strip().lower() for token in headers.get("Connection", "").split(",")]:
            headers["Connection"] = "Upgrade"  # picows accepts no list here; Firefox sends "keep-alive, Upgrade"
        try:
            result = self._upgrade(
                UpgradeRequest(
                    target=request.path.decode("latin-1"),
                    host=headers.get("Host", ""),
                    origin=headers.get("Origin"),
                    authorization=headers.get("Authorization", ""),
                    subprotocols=headers.getall("Sec-WebSocket-Protocol", []),
                )
            )
        except AppError as error:
            return _refusal(error)
        except Exception as error:  # picows would send its text to the peer
            return _refusal(unexpected_error(_log, "upgrade_failed", error))
        agreed = {"Sec-WebSocket-Protocol": result.subprotocol} if result.subprotocol else {}
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(agreed), result.socket)


def _refusal(error: AppError) -> WSUpgradeResponseWithListener:
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
    """Receives picows' log: counts the peers' mistakes, and logs picows' own errors."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # logging's name
        """Returns False, so that picows formats no messages."""
        return False

    def log(self, level: int, message: str, *args: Any) -> None:
        """Ignores the message."""

    def debug(self, message: str, *args: Any) -> None:
        """Ignores the message."""

    def info(self, message: str, *args: Any) -> None:
        """Ignores the message: each connection, with its address."""

    def warning(self, message: str, *args: Any) -> None:
        """Ignores the message: full buffers, which `WebSocketBase.flush` handles."""

    def error(self, message: str, *args: Any) -> None:
        """Counts a protocol violation, for which picows closed the connection."""
        PROTOCOL_VIOLATIONS.inc()

    def exception(self, message: str, *args: Any) -> None:
        """Logs a bug in picows or in the gateway."""
        _log.error("websocket_failed", exc_info=True)
