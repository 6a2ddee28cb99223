"""Runs replicas of presence in the test process, with gateways that attach to them and users who call them."""

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
    """Returns a replica's settings, with short durations."""
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
    """Runs a replica while the context is open; yields a channel to it, which closes after the replica."""
    async with AsyncExitStack() as channels, wire(settings) as service, serving(service, settings) as port:
        yield await channels.enter_async_context(open_channel(f"127.0.0.1:{port}"))


async def until_stored(valkey: Redis) -> None:
    """Waits until the persist queues are empty."""
    async with asyncio.timeout(TIMEOUT):
        while any([await valkey.zcard(key) async for key in valkey.scan_iter("parley:presence:*:storing")]):
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class User:
    """A signed-in user; each method makes one RPC."""

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
        """Returns a session of the user, as a gateway reports it."""
        return pb.Session(
            session_id=session_id,
            organization_id=self.organization_id,
            user_id=self.user_id,
            role=role_from_name(self.role),
            idle=idle,
        )

    async def sees(self, channel: grpc.aio.Channel, *user_ids: str) -> list[pb.Presence]:
        """Returns the presence of users as this user sees it."""
        stub = presence_pb2_grpc.PresenceServiceStub(channel)
        request = pb.BatchGetPresenceRequest(user_ids=user_ids)
        return list((await stub.BatchGetPresence(request, metadata=self.metadata, timeout=TIMEOUT)).presences)

    async def sees_until(
        self, channel: grpc.aio.Channel, user_id: str, holds: Callable[[pb.Presence], bool]
    ) -> pb.Presence:
        """Reads a user's presence until a condition holds for it."""
        async with asyncio.timeout(TIMEOUT):
            while not holds((await self.sees(channel, user_id))[0]):
                await asyncio.sleep(0.02)
            return (await self.sees(channel, user_id))[0]

    async def set_status(
        self,
        channel: grpc.aio.Channel,
        status: pb.PresenceStatus.ValueType,
        text: str | None = None,
        request_id: str = "",
    ) -> pb.Presence:
        """Sets the user's status."""
        stub = presence_pb2_grpc.PresenceServiceStub(channel)
        request = pb.SetStatusRequest(status=pb.ChosenStatus.ValueType(status), text=text, request_id=request_id)
        return (await stub.SetStatus(request, metadata=self.metadata, timeout=TIMEOUT)).presence


class Watch:
    """A user's open watch.

    Attributes:
        responses: the responses, in order.
        error: the error that ended the watch, if any.
    """

    def __init__(self, channel: grpc.aio.Channel, user: User, user_ids: Sequence[str]) -> None:
        stub = presence_pb2_grpc.PresenceServiceStub(channel)
        self._call = stub.WatchPresence(pb.WatchPresenceRequest(user_ids=user_ids), metadata=user.metadata)
        self._updated = asyncio.Condition()
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
        """Returns the received statuses of a user, in order."""
        return [each.status for presences in self.responses for each in presences if each.user_id == user_id]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits until a condition holds, checking it after each response."""
        async with asyncio.timeout(TIMEOUT), self._updated:
            await self._updated.wait_for(holds)

    async def _read(self) -> None:
        try:
            async for response in self._call:
                self.responses.append(list(response.presences))
                await self._notify()
        except grpc.aio.AioRpcError as error:
            self.error = from_rpc_error(error)
            await self._notify()

    async def _notify(self) -> None:
        async with self._updated:
            self._updated.notify_all()


class Gateway:
    """A gateway's stream.

    Attributes:
        events: the received events, in order.
        error: the error that ended the stream, if any.
        sends_heartbeats: whether heartbeats are sent.
    """

    def __init__(self, channel: grpc.aio.Channel, metadata: Metadata, gateway_id: str) -> None:
        stub = presence_pb2_grpc.PresenceServiceStub(channel)
        self._call: Any = stub.Attach(metadata=metadata)
        self._gateway_id = gateway_id
        self._request_sequence = 0
        self._acked_sequence = 0
        self._sending = asyncio.Lock()
        self._updated = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self.events: list[pb.Event] = []
        self.error: AppError | None = None
        self.ended = False
        self.sends_heartbeats = True

    async def __aenter__(self) -> Gateway:
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._send_heartbeats())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()

    async def disconnect(self) -> None:
        """Breaks the stream off, as a gateway that dies or attaches elsewhere does."""
        self._call.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def report(
        self,
        *upsert: pb.Session,
        closed: Sequence[str] = (),
        has_more: bool = False,
    ) -> None:
        """Reports sessions, and waits for the acknowledgement."""
        sequence = await self.send(pb.AttachRequest(upsert=upsert, closed=closed, has_more=has_more))
        await self.until(lambda: self._acked_sequence >= sequence or self.ended)
        if self.error is not None:
            raise self.error

    async def send(self, request: pb.AttachRequest) -> int:
        """Sends a request with the next sequence; returns the sequence."""
        async with self._sending:
            self._request_sequence += 1
            request.request_sequence = self._request_sequence
            if self._request_sequence == 1:
                request.gateway_id = self._gateway_id
            with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):  # the reader gets the error
                await self._call.write(request)
            return self._request_sequence

    def presences_of(self, user: User) -> list[pb.Presence]:
        """Returns the received presences of a user, in order."""
        return [
            event.presence
            for event in self.events
            if (event.organization_id, event.presence.user_id) == (user.organization_id, user.user_id)
        ]

    def statuses(self, user: User) -> list[pb.PresenceStatus.ValueType]:
        """Returns the received statuses of a user, in order."""
        return [presence.status for presence in self.presences_of(user)]

    def latest(self, user: User) -> pb.PresenceStatus.ValueType | None:
        """Returns the last received status of a user; None if there is none."""
        statuses = self.statuses(user)
        return statuses[-1] if statuses else None

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits until a condition holds, checking it after each response."""
        async with asyncio.timeout(TIMEOUT), self._updated:
            await self._updated.wait_for(holds)

    async def until_status(self, user: User, status: pb.PresenceStatus.ValueType) -> None:
        """Waits until the last received status of a user is the given one."""
        await self.until(lambda: self.latest(user) == status)

    async def until_ended(self) -> AppError | None:
        """Waits for the end of the stream; returns its error."""
        await self.until(lambda: self.ended)
        return self.error

    async def _read(self) -> None:
        try:
            async for response in self._call:
                self._acked_sequence = max(self._acked_sequence, response.acked_sequence)
                self.events += response.events
                await self._notify()
        except grpc.aio.AioRpcError as error:
            self.error = from_rpc_error(error)
        self.ended = True
        await self._notify()

    async def _send_heartbeats(self) -> None:
        while not self.ended:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if self.sends_heartbeats and self._request_sequence:
                await self.send(pb.AttachRequest())

    async def _notify(self) -> None:
        async with self._updated:
            self._updated.notify_all()
