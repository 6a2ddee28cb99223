"""The queue of a stream's events: order and bounds."""

from __future__ import annotations

import asyncio

import pytest
from parley.presence.v1.presence_pb2 import Event, Presence

from chassis.errors import ResourceExhaustedError, UnavailableError
from services.presence.delivery import MAX_EVENTS_PER_RESPONSE, MAX_PENDING_EVENTS, SubscriberQueue


def events(*user_ids: str) -> list[Event]:
    return [Event(organization_id="org", presence=Presence(user_id=user_id)) for user_id in user_ids]


def names(taken: list[Event]) -> list[str]:
    return [event.presence.user_id for event in taken]


async def has_output(queue: SubscriberQueue) -> bool:
    """Reports whether the queue has something to send now."""
    waiting = asyncio.create_task(queue.wait())
    await asyncio.sleep(0)
    if not waiting.done():
        waiting.cancel()
        return False
    return waiting.result()


async def test_events_come_in_order_and_in_bounded_parts() -> None:
    queue = SubscriberQueue()
    sent = [f"user-{number}" for number in range(2 * MAX_EVENTS_PER_RESPONSE + 1)]
    queue.offer("org", events(*sent))
    parts = []
    while await has_output(queue):
        parts.append(names(queue.take_events()))
    assert [len(part) for part in parts] == [MAX_EVENTS_PER_RESPONSE, MAX_EVENTS_PER_RESPONSE, 1]
    assert [name for part in parts for name in part] == sent


async def test_events_published_while_a_snapshot_is_read_follow_it() -> None:
    queue = SubscriberQueue()
    queue.hold_back("org")
    queue.offer("org", events("before"))
    queue.request_snapshot("org")
    queue.offer("other", events("elsewhere"))
    assert await has_output(queue)
    assert names(queue.take_events()) == ["elsewhere"]
    assert queue.take_snapshot_request() == "org"
    queue.offer("org", events("meanwhile"))
    assert not queue.take_events()
    queue.snapshot_sent("org")
    assert names(queue.take_events()) == ["before", "meanwhile"]


async def test_a_snapshot_requested_again_while_one_is_read_holds_back_for_the_second() -> None:
    queue = SubscriberQueue()
    queue.request_snapshot("org")
    assert queue.take_snapshot_request() == "org"
    queue.request_snapshot("org")
    queue.offer("org", events("newer"))
    queue.snapshot_sent("org")
    assert not queue.take_events()
    assert queue.take_snapshot_request() == "org"
    queue.snapshot_sent("org")
    assert names(queue.take_events()) == ["newer"]


async def test_a_forgotten_organization_leaves_nothing_behind() -> None:
    queue = SubscriberQueue()
    queue.request_snapshot("org")
    queue.offer("org", events("ann"))
    queue.forget("org")
    assert queue.take_snapshot_request() is None and not queue.take_events()
    queue.snapshot_sent("org")
    assert not queue.take_events()


@pytest.mark.parametrize("held_back", [False, True])
async def test_a_reader_that_is_too_slow_is_cut_off(held_back: bool) -> None:
    queue = SubscriberQueue()
    if held_back:
        queue.hold_back("org")
    many = events("ann") * MAX_PENDING_EVENTS
    queue.offer("org", many)
    assert queue.pending == MAX_PENDING_EVENTS
    queue.offer("org", many[:1])
    queue.offer("org", many)
    assert queue.pending == 0
    with pytest.raises(ResourceExhaustedError, match="SUBSCRIBER_TOO_SLOW"):
        await queue.wait()
    queue.snapshot_sent("org")
    assert not queue.take_events()  # nothing is kept for it


async def test_a_reader_that_keeps_up_is_never_cut_off() -> None:
    queue = SubscriberQueue()
    for _ in range(MAX_PENDING_EVENTS // MAX_EVENTS_PER_RESPONSE * 3):
        queue.offer("org", events("ann") * MAX_EVENTS_PER_RESPONSE)
        assert await has_output(queue)
        queue.take_events()
    assert not await has_output(queue)


async def test_an_acknowledgement_is_sent_once() -> None:
    queue = SubscriberQueue()
    queue.acknowledge(3)
    queue.acknowledge(4)
    assert await has_output(queue)
    assert (queue.take_acked_sequence(), queue.take_acked_sequence()) == (4, 0)


async def test_the_end_comes_after_what_is_pending_and_an_error_before_it() -> None:
    queue = SubscriberQueue()
    queue.offer("org", events("ann"))
    queue.end()
    assert await queue.wait()
    queue.take_events()
    assert not await queue.wait()
    queue.offer("org", events("bob"))
    queue.fail(UnavailableError("FIRST", "the first error counts"))
    queue.fail(UnavailableError("SECOND", "not this one"))
    with pytest.raises(UnavailableError, match="FIRST"):
        await queue.wait()
