"""The WebSocket: text frames in and out. The only module that uses the websockets library."""

import base64
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import IntEnum
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import Event
from websockets.typing import Subprotocol

from parley_client.auth_api import parse_retry_after


class CloseCode(IntEnum):
    """The close codes with a meaning in the protocol."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    ABNORMAL = 1006
    RESTART = 1012
    MALFORMED_FRAMES = 4400
    TOKEN_EXPIRED = 4401
    ACCOUNT_DISABLED = 4403
    TOO_SLOW = 4408
    TOO_MANY = 4429


SUBPROTOCOL = "parley.v1.json"
_BEARER_PREFIX = "base64url.bearer.authorization.parley."


# A page of 200 messages of 16 KiB each, with room for JSON escapes.
_MAX_FRAME_BYTES = 16 * 1024 * 1024
# How long to wait for the server to close the TCP connection after both close frames, when no data can be lost any
# more. Proxies may take a second or longer.
_CLOSE_TIMEOUT_SECONDS = 0.3


class TransportClosedError(Exception):
    """The connection is closed."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with code {code}")
        self.code = code


class UpgradeStatusError(Exception):
    """The server answered the upgrade with another HTTP status than 101."""

    def __init__(self, status: int, retry_after_ms: int | None) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status
        self.retry_after_ms = retry_after_ms


class UnreachableError(Exception):
    """No connection could be opened."""


class Transport(Protocol):
    """An open connection. Its methods raise TransportClosedError once it is closed."""

    async def send(self, frame: bytes) -> None:
        """Sends one text frame, encoded as UTF-8."""
        ...

    async def receive(self) -> str | bytes:
        """Returns the next frame: str for text, bytes for binary. Frames received before the close come first."""
        ...

    async def close(self, code: int = CloseCode.NORMAL) -> None:
        """Closes the connection; does nothing if it is closed."""
        ...


# Opens a connection to a WebSocket URL with an access token. Raises UpgradeStatusError or UnreachableError.
Connect = Callable[[str, str], Awaitable[Transport]]


def websocket_url(url: str) -> str:
    """Returns the WebSocket URL of the server's public HTTP address."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.netloc:
        raise ValueError("the address must look like http://host:port or https://host")
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + "/ws", "", ""))


def subprotocols(access_token: str) -> list[Subprotocol]:
    """Returns the subprotocols to offer: the protocol, and the token, which thereby stays out of the URL."""
    encoded = base64.urlsafe_b64encode(access_token.encode()).rstrip(b"=").decode("ascii")
    return [Subprotocol(SUBPROTOCOL), Subprotocol(_BEARER_PREFIX + encoded)]


def websocket_connector(*, open_timeout_seconds: float, ping_interval_seconds: float | None) -> Connect:
    """Returns a Connect that opens real sockets.

    Args:
        open_timeout_seconds: how long opening a connection may take.
        ping_interval_seconds: how often to ping the server, and how long to wait for its pong; None relies on TCP to
            notice a dead connection.
    """

    async def open_websocket(url: str, access_token: str) -> Transport:
        try:
            connection = await connect(
                url,
                subprotocols=subprotocols(access_token),
                compression=None,
                open_timeout=open_timeout_seconds,
                ping_interval=ping_interval_seconds,
                ping_timeout=ping_interval_seconds,
                close_timeout=_CLOSE_TIMEOUT_SECONDS,
                max_size=_MAX_FRAME_BYTES,
                logger=_quiet_logger(),
                create_connection=_FastClosingConnection,
            )
        except InvalidStatus as error:
            response = error.response
            retry_after_ms = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            raise UpgradeStatusError(response.status_code, retry_after_ms) from error
        except (OSError, TimeoutError, EOFError, InvalidHandshake, WebSocketException) as error:
            raise UnreachableError(type(error).__name__) from error
        return WebSocketTransport(connection)

    return open_websocket


class _FastClosingConnection(ClientConnection):
    """Closes soon after the server's close frame, where websockets waits for the server."""

    def process_event(self, event: Event) -> None:
        super().process_event(event)
        if isinstance(event, Frame) and event.opcode is Opcode.CLOSE:
            # The protocol has queued its own close frame.
            self.loop.call_later(_CLOSE_TIMEOUT_SECONDS, self.transport.abort)


class WebSocketTransport:
    """A Transport over a connection of the websockets library."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, frame: bytes) -> None:
        """Sends one text frame, encoded as UTF-8."""
        try:
            await self._connection.send(frame, text=True)
        except ConnectionClosed as error:
            raise TransportClosedError(_code_of(error)) from error

    async def receive(self) -> str | bytes:
        """Returns the next frame: str for text, bytes for binary."""
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise TransportClosedError(_code_of(error)) from error

    async def close(self, code: int = CloseCode.NORMAL) -> None:
        """Closes the connection; does nothing if it is closed."""
        await self._connection.close(code)


def _quiet_logger() -> logging.Logger:
    """Returns a logger for websockets without its DEBUG records, which hold headers with tokens, and whole frames."""
    logger = logging.getLogger("parley_client.websockets")
    logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
    return logger


def _code_of(error: ConnectionClosed) -> int:
    return CloseCode.ABNORMAL if error.rcvd is None else error.rcvd.code
