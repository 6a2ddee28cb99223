"""python-socketio alone as a system under test: pure fan-out in Python, with nothing behind it."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bench.sockets import BenchError, Socket, SocketIoSocket
from bench.system import User
from deploy.local.ports import PortClaims

_START_SECONDS: Final = 20.0


class PythonSocketIo:
    """One python-socketio process."""

    name = "python-socketio"
    in_order = True

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self._url = f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"

    @property
    def pids(self) -> Mapping[str, int]:
        """See System."""
        return {"socketio-1": self._process.pid}

    async def create_users(self, count: int) -> Sequence[User]:
        """See System: this server believes every user's claim."""
        prefix = secrets.token_hex(4)
        return [User(f"{prefix}-{number}", f"{prefix}-{number}") for number in range(count)]

    async def connect(self, user: User) -> Socket:
        """See System."""
        socket = SocketIoSocket(user.token)
        await socket.open(self._url, {})
        return socket

    async def direct(self, one: Socket, other: User) -> str:
        """See System."""
        return await self.group(one, [other])

    async def group(self, owner: Socket, others: Sequence[User]) -> str:
        """See System."""
        answer = await owner.ask("createGroup", {"memberIds": [user.user_id for user in others]})
        return str(answer["conversationId"])


@asynccontextmanager
async def python_socketio() -> AsyncIterator[PythonSocketIo]:
    """Runs one process. Raises BenchError."""
    claims = PortClaims()
    port = claims.claim_any()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.peers.fanout_server", str(port))
    try:
        await _wait_until_up(process, port)
        yield PythonSocketIo(process, port)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        claims.release()


async def _wait_until_up(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
    raise BenchError("the python-socketio server exited during start-up")
