"""Convergence after the load: waits, without any action, until all clients are up to date or a timeout passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from parley_client.client import Client

from tests.faults.check_store import members_of
from tests.faults.check_users import notifications_are_right
from tests.faults.device import Device
from tests.faults.history import History, PresenceSample
from tests.faults.participant import Participant

PRESENCE_SECONDS: Final = 30.0
VIEWS_SECONDS: Final = 180.0
_POLL_SECONDS: Final = 0.5


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> float | None:
    """Waits for a condition; returns how long that took, in s, or None if it did not hold within `seconds`."""
    began = time.monotonic()
    while not await condition():
        if time.monotonic() - began > seconds:
            return None
        await asyncio.sleep(_POLL_SECONDS)
    return time.monotonic() - began


async def presence_converges(participants: Sequence[Participant], history: History) -> float | None:
    """Samples all users' presence as one user of each organization sees it, until it is right or the timeout passes."""
    observers: dict[str, Client] = {}
    truth: dict[str, dict[str, str]] = {}
    for participant in participants:
        organization_id, user_id = participant.user.key
        truth.setdefault(organization_id, {})[user_id] = "online" if participant.devices else "offline"
        if participant.devices:
            observers.setdefault(organization_id, participant.devices[0].client)

    async def is_right() -> bool:
        history.presences.clear()
        for organization_id, client in observers.items():
            expected = truth[organization_id]
            for presence in (await client.presence_get(user_ids=list(expected))).presences:
                observer = next(p.user.key for p in participants if p.devices and p.devices[0].client is client)
                status = expected[presence.user_id]
                history.presences.append(PresenceSample(observer, presence.user_id, status, presence.status))
        return all(sample.status == sample.expected for sample in history.presences)

    return await until(is_right, PRESENCE_SECONDS)


async def views_converge(devices: Iterable[Device], history: History) -> float | None:
    """Waits until every device has applied the whole log of its user's conversations."""
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


async def notifications_converge(read: Callable[[], Awaitable[None]], history: History) -> float | None:
    """Reads all users' notifications until their counts are right."""

    async def are_right() -> bool:
        await read()
        return not any(notifications_are_right(history))

    return await until(are_right, VIEWS_SECONDS)
