"""Replicas of presence in this process, the gateways that attach to them, and the users who ask them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc
from parley.presence.v1 import presence_pb2 as pb
from parley.presence.v1 import presence_pb2_grpc
from redis.asyncio import Redis

from chassis.errors import AppError
from chassis.rpc.channel import Metadata, open_channel
from chassis.rpc.server import serving
from chassis.rpc.status import from_rpc_error
from services.presence.convert import role_from_name
from services.presence.settings import Settings
from services.presence.wiring import wire
from tests.component.auth_service import RunningAuth, SignedIn

TIMEOUT = 30.0
HEARTBEAT_SECONDS = 0.3
LEASE_SECONDS = 3.0
GRACE_SECONDS = 1.0


def presence_settings(
    auth: RunningAuth, mongodb_uri: str, redis_url: str, database: str, **overrides: object
) -> Settings:
    """Settings of a replica, with short times."""
    name, secret = auth.service_credentials
    values: dict[str, object] = {
        "listen": "127.0.0.1:0",
        "mongodb_uri": mongodb_uri,
        "redis_url": redis_url,
        "mongodb_database": database,
        "auth_target": auth.target,
        "service_name": name,
        "service_secret": secret,
        "replica": secrets.token_hex(4),
        "drain_seconds": 2.0,
        "lease_seconds": LEASE_SECONDS,
        "grace_seconds": GRACE_SECONDS,
        "coalesce_seconds": 0.02,
        "sweep_seconds": 0.1,
        "takeover_seconds": 0.5,
    }
    return Settings.model_validate(values | overrides)


@asynccontextmanager
async def replica(settings: Settings) -> AsyncIterator[grpc.aio.Channel]:
    """Runs a replica while the context is open; yields a channel to it, which outlives it."""
    async with AsyncExitStack() as channels, wire(settings) as service, serving(service, settings) as port:
        yield await channels.enter_async_context(open_channel(f"127.0.0.1:{port}"))


async def until_stored(valkey: Redis) -> None:
    """Waits until nothing is left to be written to MongoDB."""
    async with asyncio.timeout(TIMEOUT):
        while any([await valkey.zcard(key) async for key in valkey.scan_iter("parley:presence:*:storing")]):
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class User:
    """A user, and what they ask; each method is one call."""

    signed_in: SignedIn
    organization_id: str
    role: str

    @property
    def user_id(self) -> str:
        """The user's id."""
        return self.signed_in.user_id

    @property
    def metadata(self) -> Metadata:
        """The metadata of a call by the user."""
        return self.signed_in.metadata

    def session(self, session_id: str, *, idle: bool = False) -> pb.Session:
        """A session of the user's, as a gateway reports it."""
        return pb.Session(
            session_id=session_id,
            organization_id=self.organization_id,
            user_id=self.user_id,
            role=role_from_name(self.role),
            idle=idle,
        )

    async def sees(self, channel: grpc.aio.Channel, *user_ids: str) -> list[pb.Presence]:
        """The presence of users as this one sees it."""
        stub = presence_pb2_grpc.PresenceServiceStub(channel)
        request = pb.BatchGetPresenceRequest(user_ids=user_ids)
        return list((await stub.BatchGetPresence(request, metadata=self.metadata, timeout=TIMEOUT)).presences)

    async def sees_until(
        self, channel: grpc.aio.Channel, other: str, holds: Callable[[pb.Presence], bool]
    ) -> pb.Presence:
        """Asks for another's presence until what is seen fits."""
        async with asyncio.timeout(TIMEOUT):
            while not holds((await self.sees(channel, other))[0]):
                await asyncio.sleep(0.02)
            return (await self.sees(channel, other))[0]

    async def choose(
        self, channel: grpc.aio.Channel, status: pb.PresenceStatus.ValueType, text: str | None = None
    ) -> pb.Presence:
        """Sets the user's status."""
        stub = presence_pb2_grpc.PresenceServiceStub(channel)
        request = pb.SetStatusRequest(status=pb.ChosenStatus.ValueType(status), text=text)
        return (await stub.SetStatus(request, metadata=self.metadata, timeout=TIMEOUT)).presence


class Watch:
    """A user's open watch.

    Attributes:
        responses: what came, in order.
        error: what it ended with, once it did.
    """

    def __init__(self, channel: grpc.aio.Channel, user: User, user_ids: Sequence[str]) -> None:
        stub = presence_pb2_grpc.PresenceServiceStub(channel)
        self._call = stub.WatchPresence(pb.WatchPresenceRequest(user_ids=user_ids), metadata=user.metadata)
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())
        self.responses: list[list[pb.Presence]] = []
        self.error: AppError | None = None

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.cancel()
        self._reader.cancel()
        await asyncio.wait([self._reader])

    def statuses(self, user_id: str) -> list[pb.PresenceStatus.ValueType]:
        """What was told of a user, in order."""
        return [each.status for presences in self.responses for each in presences if each.user_id == user_id]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits until it holds, looking whenever something came."""
        async with asyncio.timeout(TIMEOUT), self._news:
            await self._news.wait_for(holds)

    async def _read(self) -> None:
        try:
            async for response in self._call:
                self.responses.append(list(response.presences))
                await self._tell()
        except grpc.aio.AioRpcError as error:
            self.error = from_rpc_error(error)
            await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


class Gateway:
    """A gateway's stream, with heartbeats unless they are switched off.

    Attributes:
        events: what came, in order.
        error: what the stream ended with, once it did.
        beating: whether heartbeats are sent.
    """

    def __init__(self, channel: grpc.aio.Channel, metadata: Metadata, gateway_id: str) -> None:
        stub = presence_pb2_grpc.PresenceServiceStub(channel)
        self._call: Any = stub.Attach(metadata=metadata)
        self._gateway_id = gateway_id
        self._number = 0
        self._acknowledged = 0
        self._sending = asyncio.Lock()
        self._news = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self.events: list[pb.Event] = []
        self.error: AppError | None = None
        self.ended = False
        self.beating = True

    async def __aenter__(self) -> Gateway:
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._beat())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.break_off()

    async def break_off(self) -> None:
        """Ends the stream without a word; the process behind it may be dead, or attach again."""
        self._call.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def report(
        self,
        *upsert: pb.Session,
        closed: Sequence[str] = (),
        more: bool = False,
    ) -> None:
        """Reports sessions, and waits until that is acknowledged."""
        number = await self.send(pb.AttachRequest(upsert=upsert, closed=closed, has_more=more))
        await self.until(lambda: self._acknowledged >= number or self.ended)
        if self.error is not None:
            raise self.error

    async def send(self, request: pb.AttachRequest) -> int:
        """Sends a request under the next number; gives the number."""
        async with self._sending:
            self._number += 1
            request.request_sequence = self._number
            if self._number == 1:
                request.gateway_id = self._gateway_id
            with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):  # the reader learns why
                await self._call.write(request)
            return self._number

    def told(self, user: User) -> list[pb.Presence]:
        """What was told of a user, in order."""
        return [
            event.presence
            for event in self.events
            if (event.organization_id, event.presence.user_id) == (user.organization_id, user.user_id)
        ]

    def statuses(self, user: User) -> list[pb.PresenceStatus.ValueType]:
        """The statuses told of a user, in order."""
        return [presence.status for presence in self.told(user)]

    def latest(self, user: User) -> pb.PresenceStatus.ValueType | None:
        """The status told of a user last; None when nothing was."""
        told = self.statuses(user)
        return told[-1] if told else None

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits until it holds, looking whenever something came."""
        async with asyncio.timeout(TIMEOUT), self._news:
            await self._news.wait_for(holds)

    async def until_told(self, user: User, status: pb.PresenceStatus.ValueType) -> None:
        """Waits until a status is what was told of a user last."""
        await self.until(lambda: self.latest(user) == status)

    async def until_ended(self) -> AppError | None:
        """Waits for the end of the stream; gives its error."""
        await self.until(lambda: self.ended)
        return self.error

    async def _read(self) -> None:
        try:
            async for response in self._call:
                self._acknowledged = max(self._acknowledged, response.acked_sequence)
                self.events += response.events
                await self._tell()
        except grpc.aio.AioRpcError as error:
            self.error = from_rpc_error(error)
        self.ended = True
        await self._tell()

    async def _beat(self) -> None:
        while not self.ended:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if self.beating and self._number:
                await self.send(pb.AttachRequest())

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()
