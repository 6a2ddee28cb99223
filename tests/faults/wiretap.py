"""Counts every error, close code and refusal on clients' connections, including those that the client retries."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final

import msgspec
from parley_client.transport import Connect, Transport, TransportClosedError, UpgradeStatusError

from tests.faults.history import Problems

_REQUEST: Final = re.compile(rb'\{"id":\s*(\d+),\s*"op":\s*"([^"]+)"')
_MAX_PENDING_OPS: Final = 2_000


class _Failure(msgspec.Struct):
    code: str
    reason: str = ""


class _ErrorReply(msgspec.Struct):
    id: int
    error: _Failure


_ERROR_REPLY: Final = msgspec.json.Decoder(_ErrorReply)


class _Tapped:
    """A transport that counts problems."""

    def __init__(self, transport: Transport, problems: Problems) -> None:
        self._transport = transport
        self._problems = problems
        self._ops: OrderedDict[int, str] = OrderedDict()
        self._ended = False

    async def send(self, frame: bytes) -> None:
        match = _REQUEST.match(frame)
        if match is not None:
            self._ops[int(match[1])] = match[2].decode()
            if len(self._ops) > _MAX_PENDING_OPS:
                self._ops.popitem(last=False)
        await self._transport.send(frame)

    async def receive(self) -> str | bytes:
        try:
            frame = await self._transport.receive()
        except TransportClosedError as closed:
            if not self._ended:
                self._problems.closes[closed.code] += 1
            raise
        if isinstance(frame, str) and '"error"' in frame[:40]:
            reply = _ERROR_REPLY.decode(frame)
            self._problems.errors[self._ops.get(reply.id, "?"), reply.error.code, reply.error.reason] += 1
        return frame

    async def close(self, code: int = 1000) -> None:
        self._ended = True
        await self._transport.close(code)


def tapped(connect: Connect, problems: Problems) -> Connect:
    """Wraps a connect function so that its transports count problems."""

    async def open_tapped(url: str, access_token: str) -> Transport:
        try:
            transport = await connect(url, access_token)
        except UpgradeStatusError as error:
            problems.refused_upgrades[error.status] += 1
            raise
        return _Tapped(transport, problems)

    return open_tapped
