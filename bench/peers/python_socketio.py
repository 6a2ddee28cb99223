"""python-socketio alone as a system under test: what pure fan-out costs in Python, with nothing behind it."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bench.sockets import BenchError, Socket, SocketIoSocket
from bench.system import Person
from deploy.local.ports import PortClaims

_START_SECONDS: Final = 20.0


class PythonSocketIo:
    """One process of it."""

    name = "python-socketio"
    in_order = True

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self._url = f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"

    @property
    def pids(self) -> Mapping[str, int]:
        """See System."""
        return {"socketio-1": self._process.pid}

    async def people(self, count: int) -> Sequence[Person]:
        """See System: whoever comes is who they say."""
        crowd = secrets.token_hex(4)
        return [Person(f"{crowd}-{number}", f"{crowd}-{number}") for number in range(count)]

    async def connect(self, person: Person) -> Socket:
        """See System."""
        socket = SocketIoSocket(person.token)
        await socket.open(self._url, {})
        return socket

    async def direct(self, one: Socket, other: Person) -> str:
        """See System."""
        return await self.group(one, [other])

    async def group(self, owner: Socket, others: Sequence[Person]) -> str:
        """See System."""
        answer = await owner.ask("createGroup", {"memberIds": [person.user_id for person in others]})
        return str(answer["conversationId"])


@asynccontextmanager
async def python_socketio() -> AsyncIterator[PythonSocketIo]:
    """A process of it, up. Raises BenchError."""
    claims = PortClaims()
    port = claims.claim_any()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.peers.fanout_server", str(port))
    try:
        await _until_up(process, port)
        yield PythonSocketIo(process, port)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        claims.release()


async def _until_up(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
    raise BenchError("the python-socketio server ended at its start")
