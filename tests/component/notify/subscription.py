"""A gateway's part in the tests: a stream of events of the users that it holds."""

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
    """An open stream, and what came of it.

    Attributes:
        events: all that came.
        positions: how far the stream has got.
        lost: whether it said that events were missed.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self.events: list[notification_pb2.Event] = []
        self.positions: dict[int, str] = {}
        self.lost = False

    async def _next(self) -> notification_pb2.SubscribeResponse:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            response = await self._call.read()
        assert isinstance(response, notification_pb2.SubscribeResponse), "the stream ended"
        self.events.extend(response.events)
        self.positions.update(response.resume_cursors.shards)
        self.lost = self.lost or response.resync_required
        return response

    async def acknowledged(self, number: int) -> None:
        """Waits until an attachment is in effect."""
        while (await self._next()).acked_sequence != number:
            pass

    async def until(self, holds: Callable[[list[notification_pb2.Event]], bool]) -> list[notification_pb2.Event]:
        """Waits until what came is as it should be."""
        while not holds(self.events):
            await self._next()
        return self.events

    async def count(self, number: int) -> list[notification_pb2.Event]:
        """Waits for so many events since the last `forget`."""
        return await self.until(lambda events: len(events) >= number)

    def forget(self) -> None:
        """Lets go of the events that came."""
        self.events = []


@asynccontextmanager
async def subscribed(
    auth: RunningAuth,
    stub: notification_pb2_grpc.NotificationServiceStub,
    organization_id: str,
    *user_ids: str,
    resume_after: Mapping[int, str] | None = None,
) -> AsyncIterator[Subscription]:
    """A stream that holds some users, from the moment on that this yields."""
    keys = [stream_pb2.UserKey(organization_id=organization_id, user_id=user_id) for user_id in user_ids]
    request = notification_pb2.SubscribeRequest(attachments=stream_pb2.Attachments(add=keys, request_sequence=1))
    if resume_after is not None:
        request.resume_cursors.shards.update(resume_after)
    call = stub.Subscribe(metadata=await auth.service_metadata())
    try:
        await call.write(request)
        subscription = Subscription(call)
        await subscription.acknowledged(1)
        yield subscription
    finally:
        call.cancel()
