"""The usual Node stack as a system under test: Express, Socket.IO with the Redis adapter, Mongoose, MongoDB.

It runs as suits it best: one worker for each of two cores, without a proxy in front. Its MongoDB and Valkey are the
same programs as Parley's.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
from joserfc import jwt
from joserfc.jwk import OctKey

from bench.sockets import BenchError, Socket, SocketIoSocket
from bench.system import User
from deploy.local.ports import PortClaims
from deploy.local.stack import LocalStack

WORKERS: Final = 2
_HERE: Final = Path(__file__).parent / "node"
_START_SECONDS: Final = 30.0


class Node:
    """The workers and their databases."""

    name = "node"
    in_order = False

    def __init__(self, stack: LocalStack, workers: Mapping[int, asyncio.subprocess.Process], secret: str) -> None:
        self._stack = stack
        self._workers = workers
        self._ports = list(workers)
        self._secret = secret
        self._connected = 0

    @property
    def pids(self) -> Mapping[str, int]:
        """See System."""
        stores = {name: process.pid for name, process in self._stack.processes.items()}
        return stores | {f"node-{number}": worker.pid for number, worker in enumerate(self._workers.values())}

    async def create_users(self, count: int) -> Sequence[User]:
        """See System: this server accepts every user with a token."""
        prefix = secrets.token_hex(4)
        return [self._user(f"{prefix}_{number}") for number in range(count)]

    def _user(self, user_id: str) -> User:
        claims = {"sub": user_id, "exp": int(time.time()) + 86_400}
        return User(user_id, jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(self._secret)))

    async def connect(self, user: User) -> Socket:
        """See System: connections alternate between the workers, as behind a load balancer."""
        port = self._ports[self._connected % len(self._ports)]
        self._connected += 1
        socket = SocketIoSocket(user.token)
        await socket.open(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket", {})
        return socket

    async def direct(self, one: Socket, other: User) -> str:
        """See System."""
        answer = await one.ask("getOrCreateConversation", {"targetUserId": other.user_id})
        return str(answer["conversationId"])

    async def group(self, owner: Socket, others: Sequence[User]) -> str:
        """See System."""
        answer = await owner.ask("createGroup", {"memberIds": [user.user_id for user in others]})
        return str(answer["conversationId"])


@asynccontextmanager
async def node() -> AsyncIterator[Node]:
    """Runs the usual Node stack with empty databases, after installing its packages from its lock file.

    Raises:
        BenchError: Node.js is missing, or the server does not start.
    """
    await _install()
    async with AsyncExitStack() as exits:
        directory = exits.enter_context(TemporaryDirectory(prefix="parley-bench-"))
        stack = await exits.enter_async_context(LocalStack(Path(directory), services=()))
        claims = PortClaims()
        exits.callback(claims.release)
        secret = secrets.token_hex(24)
        workers = {}
        for _ in range(WORKERS):
            port = claims.claim_any()
            workers[port] = await exits.enter_async_context(_worker(stack, port, secret))
        yield Node(stack, workers, secret)


async def _install() -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise BenchError("the Node peer needs Node.js 20 or newer, and npm, on the PATH")
    if (_HERE / "node_modules" / ".package-lock.json").exists():
        return
    installing = await asyncio.create_subprocess_exec(
        npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=_HERE, stdout=asyncio.subprocess.DEVNULL
    )
    if await installing.wait():
        raise BenchError("npm ci failed")


@asynccontextmanager
async def _worker(stack: LocalStack, port: int, secret: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        **os.environ,
        "NODE_ENV": "production",
        "PORT": str(port),
        "MONGODB_URI": stack.mongodb_uri,
        "MONGODB_DATABASE": "usual",
        "REDIS_URL": stack.redis_url,
        "JWT_SECRET": secret,
    }
    process = await asyncio.create_subprocess_exec("node", "server.js", cwd=_HERE, env=environment)
    try:
        await _wait_until_up(process, port)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _wait_until_up(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(_START_SECONDS), httpx.AsyncClient() as http:
        while process.returncode is None:
            try:
                await http.get(f"http://127.0.0.1:{port}/healthz")
            except httpx.TransportError:
                await asyncio.sleep(0.1)
            else:
                return
    raise BenchError("the Node server exited during start-up")
