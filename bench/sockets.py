"""The generator's connections: raw WebSocket frames in two dialects.

The text of a message starts with its number, which matches each receipt with the time of sending in either dialect.
Frames are decoded only as far as needed, so that the generator is not the bottleneck.
"""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final

import picows

WORDS: Final = "hello there, how are you today"
_CONNECT_SECONDS: Final = 30.0
_REPLY_SECONDS: Final = 60.0


class BenchError(Exception):
    """The system under test broke a promise, so there is no result."""


class RefusedError(BenchError):
    """A request failed; `retry_after_ms` says when to retry, 0 that a retry is pointless."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error.get('reason')}: {error.get('message')}")
        self.retry_after_ms = int(error.get("retryAfterMs") or 0)


class Socket(picows.WSListener):
    """One connection.

    Attributes:
        acknowledged: called with the number of each own message that was acknowledged.
        refused: called with the number of each own message that was refused; None counts a refusal as a failure.
        received: called with the number of each message received.
        closed: whether the connection is closed.
        failure: the protocol violation that ended the connection.
    """

    def __init__(self) -> None:
        self.acknowledged: Callable[[int], None] = _ignore
        self.refused: Callable[[int], None] | None = None
        self.received: Callable[[int], None] = _ignore
        self.closed = False
        self.failure: BenchError | None = None
        self.transport: Any = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._requests = 1 << 40  # distinct from message numbers

    @abstractmethod
    def message(self, conversation: str, number: int) -> bytes:
        """Returns the frame of a message."""

    @abstractmethod
    def request(self, number: int, name: str, body: object) -> bytes:
        """Returns the frame of any other request."""

    @abstractmethod
    def handle(self, frame: bytes) -> None:
        """Handles a frame."""

    def send(self, conversation: str, number: int) -> None:
        """Sends a message."""
        self.transport.send(picows.WSMsgType.TEXT, self.message(conversation, number))

    async def ask(self, name: str, body: object) -> Any:
        """Sends a request and returns its reply. Raises RefusedError."""
        self._requests += 1
        reply = self._replies[self._requests] = asyncio.get_running_loop().create_future()
        self.transport.send(picows.WSMsgType.TEXT, self.request(self._requests, name, body))
        async with asyncio.timeout(_REPLY_SECONDS):
            return await reply

    async def open(self, url: str, headers: Mapping[str, str]) -> None:
        """Connects, and waits until the server is ready. Raises BenchError."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await picows.ws_connect(lambda: self, url, extra_headers=dict(headers))
                await self._ready
        except (TimeoutError, OSError, picows.WSError) as error:
            raise BenchError(f"could not connect: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Closes the connection at once."""
        if self.transport is not None:
            self.transport.disconnect()

    def on_ws_connected(self, transport: Any) -> None:
        """Called by picows."""
        self.transport = transport

    def on_ws_disconnected(self, transport: Any) -> None:
        """Called by picows."""
        self.closed = True
        for waiting in (self._ready, *self._replies.values()):
            if not waiting.done():
                waiting.set_exception(BenchError("the connection was closed"))
                waiting.exception()  # marks the exception as retrieved if nobody waits

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        """Called by picows."""
        kind = frame.msg_type
        if kind == picows.WSMsgType.TEXT:
            try:
                self.handle(frame.get_payload_as_bytes())
            except BenchError as error:
                self.failure = error
                transport.disconnect()
        elif kind == picows.WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == picows.WSMsgType.CLOSE:
            transport.disconnect()

    def _mark_ready(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)

    def _reply(self, number: int, reply: object) -> None:
        future = self._replies.pop(number)
        if future.done():
            return
        if isinstance(reply, RefusedError):
            future.set_exception(reply)
        else:
            future.set_result(reply)


class NativeSocket(Socket):
    """Speaks Parley's native protocol."""

    def message(self, conversation: str, number: int) -> bytes:
        """See Socket."""
        return b'{"id":%d,"op":"message.send","body":{"conversationId":"%s","clientMessageId":"%d","text":"%d %s"}}' % (
            number,
            conversation.encode(),
            number,
            number,
            WORDS.encode(),
        )

    def request(self, number: int, name: str, body: object) -> bytes:
        """See Socket."""
        return json.dumps({"id": number, "op": name, "body": body}).encode()

    def handle(self, frame: bytes) -> None:
        """See Socket."""
        if frame.startswith(b'{"event":"message.created"'):
            self.received(_number_after(frame, b'"text":"'))
        elif frame.startswith(b'{"id":'):
            number = int(frame[6 : frame.index(b",")])
            if number in self._replies:
                reply = json.loads(frame)
                self._reply(number, reply["ok"] if "ok" in reply else RefusedError(reply["error"]))
            elif b'"ok":' in frame[:40]:
                self.acknowledged(number)
            elif self.refused is not None:
                self.refused(number)
            else:
                raise BenchError(frame[:300].decode())
        elif frame.startswith(b'{"event":"session.ready"'):
            self._mark_ready()


class SocketIoSocket(Socket):
    """Speaks Socket.IO 4 over WebSocket only, in the usual chat server's dialect.

    Engine.IO and Socket.IO packets: https://socket.io/docs/v4/socket-io-protocol/ (0 open, 2 ping, 3 pong, 40 connect,
    42 event, 43 acknowledgement).
    """

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def message(self, conversation: str, number: int) -> bytes:
        """See Socket."""
        body = b'{"conversationId":"%s","content":"%d %s","messageType":"text"}' % (
            conversation.encode(),
            number,
            WORDS.encode(),
        )
        return b'42%d["sendMessage",%s]' % (number, body)

    def request(self, number: int, name: str, body: object) -> bytes:
        """See Socket."""
        return f"42{number}{json.dumps([name, body])}".encode()

    def handle(self, frame: bytes) -> None:
        """See Socket."""
        if frame.startswith(b'42["newMessage"'):
            self.received(_number_after(frame, b'"content":"'))
        elif frame.startswith(b"43"):
            start = frame.index(b"[")
            number = int(frame[2:start])
            if number in self._replies:
                self._reply(number, json.loads(frame[start:])[0])
            elif b'"ok":true' in frame:
                self.acknowledged(number)
            else:
                raise BenchError(frame[:300].decode())
        elif frame == b"2":
            self.transport.send(picows.WSMsgType.TEXT, b"3")
        elif frame.startswith(b"0"):
            self.transport.send(picows.WSMsgType.TEXT, b"40" + json.dumps({"token": self._token}).encode())
        elif frame.startswith(b"40"):
            self._mark_ready()
        elif frame.startswith(b"44"):
            raise BenchError(frame.decode())


def _number_after(frame: bytes, mark: bytes) -> int:
    start = frame.index(mark) + len(mark)
    return int(frame[start : frame.index(b" ", start)])


def _ignore(number: int) -> None:
    pass
