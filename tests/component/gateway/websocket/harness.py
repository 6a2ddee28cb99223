"""The gateway on real ports, the real services in the same process, and clients."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from chassis.rpc.server import serving
from gateway.settings import Settings
from gateway.wiring import serve
from services.chat.settings import Settings as ChatSettings
from services.chat.wiring import wire as wire_chat
from services.notify.settings import Settings as NotifySettings
from services.notify.wiring import wire as wire_notify
from services.presence.settings import Settings as PresenceSettings
from services.presence.wiring import wire as wire_presence
from tests.component.auth_service import RunningAuth, SignedIn

NOWHERE = "127.0.0.1:1"
ORIGIN = "https://crm.example"
SUBPROTOCOL = "parley.v1.json"
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Targets:
    """The addresses of the services."""

    chat: str = NOWHERE
    presence: str = NOWHERE
    notify: str = NOWHERE


@dataclass(frozen=True, slots=True)
class Databases:
    """The databases of the services."""

    mongodb_uri: str
    redis_url: str


def announced(token: str) -> str:
    """Returns the subprotocol that carries a token."""
    return "base64url.bearer.authorization.parley." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


class Client:
    """One connection of a user; reads continuously."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self.strays: list[dict[str, Any]] = []
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for message in self.socket:
                frame = json.loads(message)
                async with self._news:
                    if "event" in frame:
                        self.events.append(frame)
                    elif (reply := self._replies.pop(frame["id"], None)) is not None:
                        reply.set_result(frame)
                    else:
                        self.strays.append(frame)
                    self._news.notify_all()
        except ConnectionClosed:
            pass
        finally:
            async with self._news:
                self._news.notify_all()

    async def request(self, op: str, **body: Any) -> dict[str, Any]:
        """Sends a request, and returns the whole reply."""
        number = next(self._ids)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"id": number, "op": op, "body": body}))
        frame: dict[str, Any] = await asyncio.wait_for(reply, TIMEOUT_SECONDS)
        return frame

    async def ask(self, op: str, **body: Any) -> dict[str, Any]:
        """Sends a request that must succeed, and returns its result."""
        frame = await self.request(op, **body)
        assert "ok" in frame, frame
        answer: dict[str, Any] = frame["ok"]
        return answer

    async def refused(self, op: str, **body: Any) -> tuple[str, str]:
        """Sends a request that must fail, and returns its code and reason."""
        frame = await self.request(op, **body)
        assert "error" in frame, frame
        return frame["error"]["code"], frame["error"]["reason"]

    async def event(self, name: str, **parts: Any) -> dict[str, Any]:
        """Waits for an event with these fields, or finds an earlier one; returns its body."""

        def found() -> dict[str, Any] | None:
            return next((body for body in self.bodies(name) if parts.items() <= body.items()), None)

        async with asyncio.timeout(TIMEOUT_SECONDS), self._news:
            await self._news.wait_for(lambda: found() is not None or self._reading.done())
        body = found()
        assert body is not None, f"the connection closed before {name}"
        return body

    async def message(self, text: str) -> dict[str, Any]:
        """Waits for a new message with this text."""

        def found() -> dict[str, Any] | None:
            messages = (body["message"] for body in self.bodies("message.created"))
            return next((message for message in messages if message["text"] == text), None)

        async with asyncio.timeout(TIMEOUT_SECONDS), self._news:
            await self._news.wait_for(lambda: found() is not None)
        message = found()
        assert message is not None
        return message

    def bodies(self, name: str) -> list[dict[str, Any]]:
        """Returns the bodies of the events of a name received so far."""
        return [event["body"] for event in self.events if event["event"] == name]

    async def stray(self) -> dict[str, Any]:
        """Waits for a reply without a request, such as one with id 0."""
        async with asyncio.timeout(TIMEOUT_SECONDS), self._news:
            await self._news.wait_for(lambda: bool(self.strays))
            return self.strays.pop(0)

    async def closed(self) -> int | None:
        """Waits until the connection is closed; returns the close code."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await self.socket.wait_closed()
            await self._reading
        return self.socket.close_code

    async def close(self) -> None:
        """Closes the connection."""
        await self.socket.close()
        await self._reading


class Gateway:
    """A running gateway.

    Attributes:
        port: the WebSocket port.
        http_port: the HTTP port.
    """

    def __init__(self, port: int, http_port: int, exit_stack: AsyncExitStack) -> None:
        self.port = port
        self.http_port = http_port
        self._stack = exit_stack

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"ws://127.0.0.1:{self.port}/ws"

    async def connect(self, user: SignedIn, *, ready: bool = True) -> Client:
        """Connects a user."""
        socket = await connect(self.url, subprotocols=[SUBPROTOCOL, announced(user.access_token)], proxy=None)  # type: ignore[list-item]
        self._stack.push_async_callback(socket.close)
        client = Client(socket)
        if ready:
            await client.event("session.ready")
        return client


@asynccontextmanager
async def running_gateway(auth: RunningAuth, targets: Targets, **settings: Any) -> AsyncIterator[Gateway]:
    """Runs a gateway while the context is open."""
    service, secret = auth.service_credentials
    values = Settings.model_validate(
        {
            "auth_target": auth.target,
            "chat_target": targets.chat,
            "presence_target": targets.presence,
            "notify_target": targets.notify,
            "service_name": service,
            "service_secret": SecretStr(secret),
            "allowed_origins": (ORIGIN,),
            "drain_seconds": 5.0,
            "replica": f"gateway-{secrets.token_hex(4)}",
        }
        | settings
    )
    async with (
        AsyncExitStack() as exit_stack,
        serve(values) as ports,
    ):  # clients outlive the gateway, and see how it stops
        yield Gateway(ports.websocket, ports.http, exit_stack)


@asynccontextmanager
async def running_chat(auth: RunningAuth, databases: Databases, **settings: Any) -> AsyncIterator[str]:
    """Runs chat while the context is open; yields its address."""
    values = ChatSettings(**_common(auth, databases) | settings, messages_per_second=10_000, messages_burst=100_000)
    async with wire_chat(values) as service, serving(service, values) as port:
        yield f"127.0.0.1:{port}"


@asynccontextmanager
async def running_presence(auth: RunningAuth, databases: Databases) -> AsyncIterator[str]:
    """Runs presence while the context is open; yields its address."""
    values = PresenceSettings(**_common(auth, databases), coalesce_seconds=0.02, grace_seconds=1.0, sweep_seconds=0.1)
    async with wire_presence(values) as service, serving(service, values) as port:
        yield f"127.0.0.1:{port}"


@asynccontextmanager
async def running_notify(auth: RunningAuth, databases: Databases) -> AsyncIterator[str]:
    """Runs notify without events of chat while the context is open; yields its address."""
    values = NotifySettings(**_common(auth, databases), chat_log=f"test-{secrets.token_hex(8)}")
    async with wire_notify(values) as service, serving(service, values) as port:
        yield f"127.0.0.1:{port}"


def _common(auth: RunningAuth, databases: Databases) -> dict[str, Any]:
    service, secret = auth.service_credentials
    return {
        "mongodb_uri": databases.mongodb_uri,
        "redis_url": databases.redis_url,
        "mongodb_database": f"test_gateway_{secrets.token_hex(8)}",
        "auth_target": auth.target,
        "service_name": service,
        "service_secret": SecretStr(secret),
        "replica": secrets.token_hex(4),
        "drain_seconds": 1.0,
    }


@dataclass(frozen=True, slots=True)
class Harness:
    """All services and one gateway."""

    auth: RunningAuth
    targets: Targets
    gateway: Gateway

    async def join(self, organization_id: str, role: str = "manager", **given: Any) -> SignedIn:
        """Creates a user of an organization and signs in."""
        return await self.auth.sign_in_new(organization_id, role, **given)


async def talking(gateway: Gateway, ann: SignedIn, bob: SignedIn) -> tuple[Client, Client, str]:
    """Connects two users; returns their connections and the id of their conversation."""
    anns, bobs = await asyncio.gather(gateway.connect(ann), gateway.connect(bob))
    answer = await anns.ask("conversation.direct", userId=bob.user_id)
    conversation_id: str = answer["conversation"]["conversationId"]
    await bobs.event("conversation.created")
    return anns, bobs, conversation_id


async def send(client: Client, conversation_id: str, text: str, **fields: Any) -> dict[str, Any]:
    """Sends a message; fails unless it is accepted."""
    given = {"clientMessageId": secrets.token_hex(8), **fields}
    return await client.ask("message.send", conversationId=conversation_id, text=text, **given)
