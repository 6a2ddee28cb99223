"""Attachments: gateways' streams, which report sessions one way and are told of presence the other way."""

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

Told = tuple[int, Sequence[Event], str]
"""What is told at once: the acknowledged number, events, and the organization of which all has been told, if any."""


class Attachments:
    """Serves gateways' streams.

    Args:
        bus: where sessions are held, and rosters are read.
        publisher: is woken when sessions changed.
        delivery: what others were told.
        times: see `Timeouts`.
    """

    def __init__(self, bus: PresenceBus, publisher: Publisher, delivery: Delivery, times: Timeouts) -> None:
        self._bus = bus
        self._publisher = publisher
        self._delivery = delivery
        self._times = times

    async def serve(self, reports: AsyncIterator[Report]) -> AsyncIterator[Told]:
        """Serves one stream.

        The sessions stay when it ends, for as long as the gateway's lease does.

        Yields:
            What an AttachResponse says.

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
        outbox = SubscriberQueue()
        with self._delivery.delivering(outbox):
            sessions = GatewaySessions(self._bus, first.gateway_id, self._times)
            await sessions.attach()
            reader = asyncio.create_task(self._read(sessions, outbox, first, reports))
            try:
                async for response in self._responses(outbox):
                    yield response
            finally:
                await end_tasks([reader])

    async def _responses(self, outbox: SubscriberQueue) -> AsyncIterator[Told]:
        while await outbox.wait():
            acknowledged, events = outbox.take_acknowledged(), outbox.take_events()
            if acknowledged or events:
                yield acknowledged, events, ""
            organization_id = outbox.take_snapshot_due()
            if organization_id is not None:
                async for part in self._bus.roster(organization_id):
                    yield (
                        outbox.take_acknowledged(),
                        [event_message(UserKey(organization_id, user), role, shown) for user, role, shown in part],
                        "",
                    )
                outbox.snapshot_given(organization_id)
                yield outbox.take_acknowledged(), [], organization_id

    async def _read(
        self, sessions: GatewaySessions, outbox: SubscriberQueue, first: Report, reports: AsyncIterator[Report]
    ) -> None:
        report: Report | None = first
        try:
            while report is not None:
                await self._take_in(sessions, outbox, report)
                report = await self._next(reports)
            outbox.end()
        except Exception as error:  # the stream ends with it
            outbox.fail(error)

    async def _take_in(self, sessions: GatewaySessions, outbox: SubscriberQueue, report: Report) -> None:
        """Brings a report into effect; whatever is told after that is delivered."""
        before = sessions.organizations
        changes = sessions.note(report)
        new, gone = sessions.organizations - before, before - sessions.organizations
        for organization_id in new:
            self._delivery.add(outbox, organization_id)
        if await sessions.apply(changes, more=report.more):
            self._publisher.wake()
        for organization_id in gone:
            self._delivery.remove(outbox, organization_id)
        if report.number:
            outbox.acknowledge(report.number)
        for organization_id in new:
            outbox.need_snapshot(organization_id)

    async def _next(self, reports: AsyncIterator[Report]) -> Report | None:
        """The next report, or None at the end. Raises UnavailableError HEARTBEATS_MISSED."""
        try:
            async with asyncio.timeout(self._times.lease_ms / 1_000):
                return await anext(reports, None)
        except TimeoutError:
            raise UnavailableError("HEARTBEATS_MISSED", "nothing was heard for too long; attach again") from None
