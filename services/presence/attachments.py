"""Attachments: gateways' streams, which report sessions in one direction and receive presence in the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from parley.presence.v1.presence_pb2 import Event

from chassis.errors import InvalidArgumentError, UnavailableError
from chassis.process.supervise import end_tasks
from services.presence.bus import PresenceBus
from services.presence.convert import event_message
from services.presence.delivery import Delivery, SubscriberQueue
from services.presence.domain import UserKey
from services.presence.publisher import Publisher
from services.presence.sessions import GatewaySessions, Report, Timeouts

Output = tuple[int, Sequence[Event], str]
"""An AttachResponse's contents: the acked_sequence, events, and the organization that is now synced, if any."""


class Attachments:
    """Serves gateways' streams.

    Args:
        bus: holds sessions and snapshots.
        publisher: woken when sessions change.
        delivery: delivers the published events.
        timeouts: see `Timeouts`.
    """

    def __init__(self, bus: PresenceBus, publisher: Publisher, delivery: Delivery, timeouts: Timeouts) -> None:
        self._bus = bus
        self._publisher = publisher
        self._delivery = delivery
        self._timeouts = timeouts

    async def serve(self, reports: AsyncIterator[Report]) -> AsyncIterator[Output]:
        """Serves one stream. When it ends, its sessions stay until the gateway's lease expires.

        Yields:
            The contents of each AttachResponse.

        Raises:
            InvalidArgumentError: INVALID_FIELDS or SESSION_OF_ANOTHER_USER.
            ResourceExhaustedError: SUBSCRIBER_TOO_SLOW or TOO_MANY_SESSIONS.
            UnavailableError: SESSIONS_UNKNOWN, HEARTBEATS_MISSED, SHUTTING_DOWN or STORE_UNAVAILABLE.
        """
        first = await self._next(reports)
        if first is None:
            return
        if not first.gateway_id:
            raise InvalidArgumentError(
                "INVALID_FIELDS", "gatewayId must not be empty", fields={"gatewayId": "must not be empty"}
            )
        queue = SubscriberQueue()
        with self._delivery.delivering(queue):
            sessions = GatewaySessions(self._bus, first.gateway_id, self._timeouts)
            await sessions.attach()
            reader = asyncio.create_task(self._read(sessions, queue, first, reports))
            try:
                async for response in self._responses(queue):
                    yield response
            finally:
                await end_tasks([reader])

    async def _responses(self, queue: SubscriberQueue) -> AsyncIterator[Output]:
        while await queue.wait():
            acked_sequence, events = queue.take_acked_sequence(), queue.take_events()
            if acked_sequence or events:
                yield acked_sequence, events, ""
            organization_id = queue.take_snapshot_request()
            if organization_id is not None:
                async for part in self._bus.snapshot(organization_id):
                    yield (
                        queue.take_acked_sequence(),
                        [
                            event_message(UserKey(organization_id, user), role, presence)
                            for user, role, presence in part
                        ],
                        "",
                    )
                queue.snapshot_sent(organization_id)
                yield queue.take_acked_sequence(), [], organization_id

    async def _read(
        self, sessions: GatewaySessions, queue: SubscriberQueue, first: Report, reports: AsyncIterator[Report]
    ) -> None:
        report: Report | None = first
        try:
            while report is not None:
                await self._apply(sessions, queue, report)
                report = await self._next(reports)
            queue.end()
        except Exception as error:  # ends the stream
            queue.fail(error)

    async def _apply(self, sessions: GatewaySessions, queue: SubscriberQueue, report: Report) -> None:
        """Applies a report. Every event published after the acknowledgement is delivered."""
        before = sessions.organizations
        changes = sessions.record(report)
        added, removed = sessions.organizations - before, before - sessions.organizations
        for organization_id in added:
            self._delivery.add(queue, organization_id)
        if await sessions.apply(changes, has_more=report.has_more):
            self._publisher.wake()
        for organization_id in removed:
            self._delivery.remove(queue, organization_id)
        if report.request_sequence:
            queue.acknowledge(report.request_sequence)
        for organization_id in added:
            queue.request_snapshot(organization_id)

    async def _next(self, reports: AsyncIterator[Report]) -> Report | None:
        """Returns the next report, or None at the end. Raises UnavailableError HEARTBEATS_MISSED."""
        try:
            async with asyncio.timeout(self._timeouts.lease_ms / 1_000):
                return await anext(reports, None)
        except TimeoutError:
            raise UnavailableError("HEARTBEATS_MISSED", "no heartbeat arrived in time; attach again") from None
