"""After the storm: waiting, without a nudge, until everybody has what they ought to have, or the time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from parley_client.client import Client

from tests.faults.check_people import everybody_is_notified
from tests.faults.check_store import members_of
from tests.faults.device import Device
from tests.faults.history import History, PresenceSample
from tests.faults.participant import Participant

PRESENCE_SECONDS: Final = 30.0
VIEWS_SECONDS: Final = 180.0
_BETWEEN_LOOKS_SECONDS: Final = 0.5


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> float | None:
    """How long it took until a condition held; None when it did not within so many seconds."""
    began = time.monotonic()
    while not await condition():
        if time.monotonic() - began > seconds:
            return None
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
    return time.monotonic() - began


async def presence_converges(participants: Sequence[Participant], history: History) -> float | None:
    """Samples what somebody of each organization is told of everybody, until that is true or the time is over."""
    observers: dict[str, Client] = {}
    truth: dict[str, dict[str, str]] = {}
    for participant in participants:
        organization_id, user_id = participant.person.key
        truth.setdefault(organization_id, {})[user_id] = "online" if participant.devices else "offline"
        if participant.devices:
            observers.setdefault(organization_id, participant.devices[0].client)

    async def true() -> bool:
        history.presences.clear()
        for organization_id, client in observers.items():
            expected = truth[organization_id]
            for presence in (await client.presence_get(user_ids=list(expected))).presences:
                observer = next(p.person.key for p in participants if p.devices and p.devices[0].client is client)
                status = expected[presence.user_id]
                history.presences.append(PresenceSample(observer, presence.user_id, status, presence.status))
        return all(sample.status == sample.expected for sample in history.presences)

    return await until(true, PRESENCE_SECONDS)


async def views_converge(devices: Iterable[Device], history: History) -> float | None:
    """Waits until every device has applied all that is stored of its user's conversations."""
    behind = list(devices)

    async def complete() -> bool:
        behind[:] = [device for device in behind if not _is_complete(device, history)]
        return not behind

    return await until(complete, VIEWS_SECONDS)


def _is_complete(device: Device, history: History) -> bool:
    replica = device.client.replica
    for number, stored in history.stored.items():
        user_id = device.view.user.user_id
        if stored.organization_id != device.view.user.organization_id or user_id not in members_of(stored):
            continue
        conversation_id = history.conversations.name(number)
        if conversation_id not in replica:
            return False
        state = replica.conversation(conversation_id)
        if state.out_of_sync or state.applied_rev < stored.revs[-1] or state.read_seq < stored.read_seqs[user_id]:
            return False
    return True


async def notifications_converge(look: Callable[[], Awaitable[None]], history: History) -> float | None:
    """Looks at everybody's notifications until they count what is unread."""

    async def right() -> bool:
        await look()
        return not any(everybody_is_notified(history))

    return await until(right, VIEWS_SECONDS)
