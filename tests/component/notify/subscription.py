"""A subscriber of notify's events, as a gateway is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from parley.notify.v1 import notification_pb2, notification_pb2_grpc
from parley.stream.v1 import stream_pb2

from tests.component.auth_service import RunningAuth
from tests.component.notify.waiting import TIMEOUT_SECONDS


class Subscription:
    """An open stream and what it received.

    Attributes:
        events: the events received since the last `clear`.
        cursors: where to resume.
        resync_required: whether the stream reported missed events.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self.events: list[notification_pb2.Event] = []
        self.cursors: dict[int, str] = {}
        self.resync_required = False

    async def _next(self) -> notification_pb2.SubscribeResponse:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            response = await self._call.read()
        assert isinstance(response, notification_pb2.SubscribeResponse), "the stream ended"
        self.events.extend(response.events)
        self.cursors.update(response.resume_cursors.shards)
        self.resync_required = self.resync_required or response.resync_required
        return response

    async def acknowledged(self, number: int) -> None:
        """Waits until the attachments of this sequence are in effect."""
        while (await self._next()).acked_sequence != number:
            pass

    async def until(self, holds: Callable[[list[notification_pb2.Event]], bool]) -> list[notification_pb2.Event]:
        """Waits until a condition holds for the received events."""
        while not holds(self.events):
            await self._next()
        return self.events

    async def count(self, number: int) -> list[notification_pb2.Event]:
        """Waits for this number of events."""
        return await self.until(lambda events: len(events) >= number)

    def clear(self) -> None:
        """Drops the received events."""
        self.events = []


@asynccontextmanager
async def subscribed(
    auth: RunningAuth,
    stub: notification_pb2_grpc.NotificationServiceStub,
    organization_id: str,
    *user_ids: str,
    resume_cursors: Mapping[int, str] | None = None,
) -> AsyncIterator[Subscription]:
    """Opens a stream with users attached; every event after this yields is delivered."""
    keys = [stream_pb2.UserKey(organization_id=organization_id, user_id=user_id) for user_id in user_ids]
    request = notification_pb2.SubscribeRequest(attachments=stream_pb2.Attachments(add=keys, request_sequence=1))
    if resume_cursors is not None:
        request.resume_cursors.shards.update(resume_cursors)
    call = stub.Subscribe(metadata=await auth.service_metadata())
    try:
        await call.write(request)
        subscription = Subscription(call)
        await subscription.acknowledged(1)
        yield subscription
    finally:
        call.cancel()
