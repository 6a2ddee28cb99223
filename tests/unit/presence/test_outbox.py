"""What a stream is told, in which order, and how much may wait."""

from __future__ import annotations

import asyncio

import pytest
from parley.presence.v1.presence_pb2 import Event, Presence

from chassis.errors import ResourceExhaustedError, UnavailableError
from services.presence.delivery import MAX_EVENTS_PER_RESPONSE, MAX_PENDING_EVENTS, SubscriberQueue


def events(*user_ids: str) -> list[Event]:
    return [Event(organization_id="org", presence=Presence(user_id=user_id)) for user_id in user_ids]


def names(found: list[Event]) -> list[str]:
    return [event.presence.user_id for event in found]


async def says_something(outbox: SubscriberQueue) -> bool:
    """Whether it has something to say now."""
    waiting = asyncio.create_task(outbox.wait())
    await asyncio.sleep(0)
    if not waiting.done():
        waiting.cancel()
        return False
    return waiting.result()


async def test_events_come_in_order_and_in_bounded_parts() -> None:
    outbox = SubscriberQueue()
    sent = [f"user-{number}" for number in range(2 * MAX_EVENTS_PER_RESPONSE + 1)]
    outbox.offer("org", events(*sent))
    parts = []
    while await says_something(outbox):
        parts.append(names(outbox.take_events()))
    assert [len(part) for part in parts] == [MAX_EVENTS_PER_RESPONSE, MAX_EVENTS_PER_RESPONSE, 1]
    assert [name for part in parts for name in part] == sent


async def test_what_is_told_while_a_snapshot_is_read_follows_it() -> None:
    outbox = SubscriberQueue()
    outbox.hold_back("org")
    outbox.offer("org", events("before"))
    outbox.need_snapshot("org")
    outbox.offer("other", events("elsewhere"))
    assert await says_something(outbox)
    assert names(outbox.take_events()) == ["elsewhere"]
    assert outbox.take_snapshot_due() == "org"
    outbox.offer("org", events("meanwhile"))
    assert not outbox.take_events()
    outbox.snapshot_given("org")
    assert names(outbox.take_events()) == ["before", "meanwhile"]


async def test_a_snapshot_needed_again_while_one_is_read_holds_back_for_the_second() -> None:
    outbox = SubscriberQueue()
    outbox.need_snapshot("org")
    assert outbox.take_snapshot_due() == "org"
    outbox.need_snapshot("org")
    outbox.offer("org", events("newer"))
    outbox.snapshot_given("org")
    assert not outbox.take_events()
    assert outbox.take_snapshot_due() == "org"
    outbox.snapshot_given("org")
    assert names(outbox.take_events()) == ["newer"]


async def test_an_organization_forgotten_leaves_nothing_behind() -> None:
    outbox = SubscriberQueue()
    outbox.need_snapshot("org")
    outbox.offer("org", events("ann"))
    outbox.forget("org")
    assert outbox.take_snapshot_due() is None and not outbox.take_events()
    outbox.snapshot_given("org")
    assert not outbox.take_events()


@pytest.mark.parametrize("held_back", [False, True])
async def test_a_reader_that_is_too_slow_is_cut_off(held_back: bool) -> None:
    outbox = SubscriberQueue()
    if held_back:
        outbox.hold_back("org")
    many = events("ann") * MAX_PENDING_EVENTS
    outbox.offer("org", many)
    assert outbox.pending == MAX_PENDING_EVENTS
    outbox.offer("org", many[:1])
    outbox.offer("org", many)
    assert outbox.pending == 0
    with pytest.raises(ResourceExhaustedError, match="SUBSCRIBER_TOO_SLOW"):
        await outbox.wait()
    outbox.snapshot_given("org")
    assert not outbox.take_events()  # nothing is kept for it


async def test_a_reader_that_keeps_up_is_never_cut_off() -> None:
    outbox = SubscriberQueue()
    for _ in range(MAX_PENDING_EVENTS // MAX_EVENTS_PER_RESPONSE * 3):
        outbox.offer("org", events("ann") * MAX_EVENTS_PER_RESPONSE)
        assert await says_something(outbox)
        outbox.take_events()
    assert not await says_something(outbox)


async def test_an_acknowledgement_is_said_once() -> None:
    outbox = SubscriberQueue()
    outbox.acknowledge(3)
    outbox.acknowledge(4)
    assert await says_something(outbox)
    assert (outbox.take_acknowledged(), outbox.take_acknowledged()) == (4, 0)


async def test_the_end_comes_after_what_is_pending_and_an_error_before_it() -> None:
    outbox = SubscriberQueue()
    outbox.offer("org", events("ann"))
    outbox.end()
    assert await outbox.wait()
    outbox.take_events()
    assert not await outbox.wait()
    outbox.offer("org", events("bob"))
    outbox.fail(UnavailableError("FIRST", "the first error counts"))
    outbox.fail(UnavailableError("SECOND", "not this one"))
    with pytest.raises(UnavailableError, match="FIRST"):
        await outbox.wait()
