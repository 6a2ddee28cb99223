"""Every door that an access token opens."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
import httpx
from parley.auth.v1 import directory_pb2
from parley.chat.v1 import conversation_pb2, conversation_pb2_grpc
from parley.notify.v1 import notification_pb2, notification_pb2_grpc
from parley.presence.v1 import presence_pb2, presence_pb2_grpc
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chassis.rpc.channel import bearer, open_channel
from chassis.rpc.status import from_rpc_error
from tests.component.auth_service import RunningAuth
from tests.component.gateway.websocket.harness import (
    SUBPROTOCOL,
    Databases,
    Gateway,
    Targets,
    announced,
    running_chat,
    running_gateway,
    running_notify,
    running_presence,
)

WITHIN_SECONDS: Final = 2.0
_TIMEOUT_SECONDS: Final = 20.0
OPEN: Final = "open"
SOCKETS: Final = frozenset({"helpdesk", "socket.io"})
"""The doors that close without a reason."""


@dataclass(frozen=True, slots=True)
class Doors:
    """One process of each service and a gateway."""

    auth: RunningAuth
    targets: Targets
    gateway: Gateway

    async def answers(self, token: str) -> dict[str, str]:
        """Tries every door with a token; returns for each OPEN, or why it stays closed."""
        doors: dict[str, Callable[[str], Awaitable[str]]] = {
            "native": self._native,
            "socket.io": self._socketio,
            "helpdesk": self._helpdesk,
            "http": self._http,
            "auth": self._auth,
            "chat": self._chat,
            "presence": self._presence,
            "notify": self._notify,
        }
        return {name: await door(token) for name, door in doors.items()}

    async def _native(self, token: str) -> str:
        try:
            async with connect(self.gateway.url, subprotocols=[SUBPROTOCOL, announced(token)], proxy=None) as socket:  # type: ignore[list-item]
                return await _first(socket, lambda frame: '"session.ready"' in frame)
        except InvalidStatus as error:
            return str(json.loads(error.response.body or b"{}")["error"]["reason"])

    async def _socketio(self, token: str) -> str:
        url = f"ws://127.0.0.1:{self.gateway.http_port}/socket.io/?EIO=4&transport=websocket"
        async with connect(url, proxy=None) as socket:
            await socket.send("40" + json.dumps({"token": token}))
            return await _first(socket, lambda frame: frame.startswith("40"), lambda frame: frame.startswith("44"))

    async def _helpdesk(self, token: str) -> str:
        url = f"ws://127.0.0.1:{self.gateway.port}/helpdesk"
        async with connect(url, proxy=None) as socket:
            await socket.send(json.dumps({"type": "user_join", "userId": "me", "token": token}))
            return await _first(socket, lambda frame: '"joined"' in frame, lambda frame: '"error"' in frame)

    async def _http(self, token: str) -> str:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as http:
            url = f"http://127.0.0.1:{self.gateway.http_port}/api/users/me"
            response = await http.get(url, headers={"authorization": f"Bearer {token}"})
        return OPEN if response.is_success else str(response.json()["error"]["reason"])

    async def _auth(self, token: str) -> str:
        return await _rpc(self.auth.directory.SearchUsers, directory_pb2.SearchUsersRequest(query="x"), token)

    async def _chat(self, token: str) -> str:
        async with open_channel(self.targets.chat) as channel:
            stub = conversation_pb2_grpc.ConversationServiceStub(channel)
            return await _rpc(stub.ListConversations, conversation_pb2.ListConversationsRequest(), token)

    async def _presence(self, token: str) -> str:
        async with open_channel(self.targets.presence) as channel:
            stub = presence_pb2_grpc.PresenceServiceStub(channel)
            return await _rpc(stub.BatchGetPresence, presence_pb2.BatchGetPresenceRequest(user_ids=["x"]), token)

    async def _notify(self, token: str) -> str:
        async with open_channel(self.targets.notify) as channel:
            stub = notification_pb2_grpc.NotificationServiceStub(channel)
            return await _rpc(stub.ListNotifications, notification_pb2.ListNotificationsRequest(), token)


async def _rpc(method: Any, request: Any, token: str) -> str:
    try:
        await method(request, metadata=bearer(token), timeout=_TIMEOUT_SECONDS)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).reason
    return OPEN


async def _first(socket: Any, opened: Callable[[str], bool], refused: Callable[[str], bool] = lambda _: False) -> str:
    """Reads until a frame says that the socket is open or refused, or it closes."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            while True:
                frame = str(await socket.recv())
                if opened(frame):
                    return OPEN
                if refused(frame):
                    return "refused"
    except ConnectionClosed:
        return "closed"


@asynccontextmanager
async def running_doors(auth: RunningAuth, stores: Databases) -> AsyncIterator[Doors]:
    """Runs new processes of everything but auth: they know of the past only what they are sent."""
    async with AsyncExitStack() as stack:
        targets = Targets(
            await stack.enter_async_context(running_chat(auth, stores)),
            await stack.enter_async_context(running_presence(auth, stores)),
            await stack.enter_async_context(running_notify(auth, stores)),
        )
        yield Doors(auth, targets, await stack.enter_async_context(running_gateway(auth, targets)))


async def expect_open(doors: Doors, token: str) -> None:
    """Checks that a token opens all doors."""
    answers = await doors.answers(token)
    assert set(answers.values()) == {OPEN}, answers


async def expect_closed(doors: Doors, token: str, reason: str) -> None:
    """Checks that a token opens no door, for one reason."""
    answers = await doors.answers(token)
    assert OPEN not in answers.values(), answers
    assert {answer for name, answer in answers.items() if name not in SOCKETS} == {reason}, answers


async def expect_closed_soon(doors: Doors, token: str, reason: str, began: float) -> None:
    """Waits, at most until 2 s after `began`, for the services and the gateway to refuse a token."""
    remaining = WITHIN_SECONDS - (time.monotonic() - began)
    await asyncio.sleep(max(0.0, remaining))
    await expect_closed(doors, token, reason)
