"""A stream sends all events in order and in bounded responses, and ends if it falls too far behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parley.chat.v1 import event_pb2
from parley.notify.v1 import notification_pb2
from parley.stream.v1.stream_pb2 import Attachments, UserKey
from prometheus_client import CollectorRegistry, Gauge

from chassis.contract.validator import validate
from chassis.errors import InvalidArgumentError, ResourceExhaustedError, UnavailableError
from chassis.events.log import START, Entry
from chassis.events.subscriber import (
    MAX_PENDING_BYTES,
    MAX_PENDING_EVENTS,
    MAX_RESPONSE_BYTES,
    MAX_RESPONSE_EVENTS,
    MAX_USERS,
    Subscriber,
)
from services.chat.bus import route

ORGANIZATION = "acme"


def pending_metric() -> Gauge:
    return Gauge("pending", "Events.", registry=CollectorRegistry())


def subscriber(gauge: Gauge | None = None) -> Subscriber[event_pb2.Event]:
    new = Subscriber[event_pb2.Event](route, gauge or pending_metric())
    new.attach(Attachments(add=[UserKey(organization_id=ORGANIZATION, user_id="ann")]))
    return new


def event(name: str, size: int = 0, recipient: str = "ann") -> event_pb2.Event:
    new = event_pb2.Event(organization_id=ORGANIZATION, recipients=[recipient], origin=name)
    new.message_created.message.text = "x" * size
    return new


def entry(number: int, events: list[event_pb2.Event], *, shard: int = 0, organization: str = ORGANIZATION) -> Entry:
    payload = event_pb2.EventBatch(events=events).SerializeToString()
    return Entry(shard, f"{number}-0", organization, payload)


def offer(to: Subscriber[event_pb2.Event], number: int, *events: event_pb2.Event, shard: int = 0) -> None:
    to.offer(entry(number, list(events), shard=shard), events)


def taken(of: Subscriber[event_pb2.Event]) -> Iterator[tuple[list[event_pb2.Event], dict[int, str]]]:
    while response := of.take():
        _, events, positions, _ = response
        yield events, dict(positions.shards) if positions else {}


def test_a_large_backlog_is_sent_in_responses_far_below_the_message_limit() -> None:
    stream = subscriber()
    for number in range(1, 41):
        offer(stream, number, event(f"{number} a", 700_000), event(f"{number} b", 300_000))
    parts = list(taken(stream))
    assert [e.origin for events, _ in parts for e in events] == [f"{n} {x}" for n in range(1, 41) for x in "ab"]
    sizes = [event_pb2.EventBatch(events=events).ByteSize() for events, _ in parts]
    assert max(sizes) <= MAX_RESPONSE_BYTES
    assert len(parts) > 1
    assert [positions[0] for _, positions in parts][-1] == "40-0"


def test_a_large_entry_is_split_and_its_position_reported_at_its_end() -> None:
    stream = subscriber()
    offer(stream, 1, *(event(str(n), 1 << 20) for n in range(9)))
    offer(stream, 2, *(event(str(n)) for n in range(MAX_RESPONSE_EVENTS + 1)))
    parts = list(taken(stream))
    assert sum(len(events) for events, _ in parts) == 9 + MAX_RESPONSE_EVENTS + 1
    assert all(event_pb2.EventBatch(events=events).ByteSize() <= MAX_RESPONSE_BYTES for events, _ in parts)
    reported = [(sum(len(e) for e, _ in parts[: at + 1]), positions) for at, (_, positions) in enumerate(parts)]
    assert all(("1-0" in positions.values()) <= (count >= 9) for count, positions in reported)
    assert parts[-1][1] == {0: "2-0"}
    assert not any("2-0" in positions.values() for _, positions in reported[:-1])


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans()),
        max_size=30,
    )
)
def test_a_position_is_reported_only_after_all_events_before_it(offers: list[tuple[int, int, bool]]) -> None:
    """Resuming at a reported position misses nothing: each event is sent with or before its entry's position."""
    stream = subscriber()
    sent: list[str] = []
    reached: dict[int, int] = {}
    expected: dict[tuple[int, int], set[str]] = {}
    for number, (shard, count, take) in enumerate(offers, 1):
        events = [event(f"{shard} {number} {i}", 1_500_000) for i in range(count)]
        expected[shard, number] = {e.origin for e in events}
        offer(stream, number, *events, shard=shard)
        if take and (response := stream.take()):
            sent += [e.origin for e in response[1]]
            reached |= {s: int(p.split("-")[0]) for s, p in response[2].shards.items()} if response[2] else {}
            for (of_shard, of_number), names in expected.items():
                if of_number <= reached.get(of_shard, 0):
                    assert names <= set(sent)
    sent += [e.origin for events, _ in taken(stream) for e in events]
    assert len(sent) == len(set(sent))
    assert set(sent) == set[str]().union(*expected.values())


@pytest.mark.parametrize(
    ("count", "size"), [(MAX_PENDING_EVENTS // 4 + 1, 0), (4, MAX_PENDING_BYTES // 16 + 1)], ids=["events", "bytes"]
)
async def test_a_stream_that_fell_too_far_behind_ends_and_keeps_nothing(count: int, size: int) -> None:
    gauge = pending_metric()
    stream = subscriber(gauge)
    events = [event("e", size) for _ in range(count)]
    for number in range(1, 5):
        offer(stream, number, *events)
    assert stream.overflowed
    offer(stream, 5, *events)
    assert not stream.fills_a_response
    assert gauge._value.get() == 0
    with pytest.raises(ResourceExhaustedError, match="SUBSCRIBER_TOO_SLOW"):
        await stream.next()


def test_pending_events_are_measured() -> None:
    gauge = pending_metric()
    stream = subscriber(gauge)
    offer(stream, 1, event("a"), event("b"), event("for another", recipient="bob"))
    assert gauge._value.get() == 2
    stream.take()
    assert gauge._value.get() == 0
    offer(stream, 2, event("c"))
    stream.drop()
    assert gauge._value.get() == 0


async def test_entries_for_others_advance_the_position_without_a_response_for_a_minute() -> None:
    stream = subscriber()
    stream.offer(entry(1_000, [event("e")], organization="other"), [event("e")])
    stream.offer(entry(61_000, [], organization="other"), [])
    waiting = asyncio.ensure_future(stream.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    stream.offer(entry(61_001, [], organization="other"), [])
    response = await waiting
    assert response is not None and response[2] is not None
    assert (response[1], dict(response[2].shards)) == ([], {0: "61001-0"})


def test_an_entry_offered_again_is_skipped() -> None:
    stream = subscriber()
    for number in (1, 2, 1, 2, 3):
        offer(stream, number, event(str(number)))
    assert [e.origin for events, _ in taken(stream) for e in events] == ["1", "2", "3"]


def test_after_a_loss_lower_positions_are_valid_and_old_ones_are_not_reported() -> None:
    stream = subscriber()
    offer(stream, 1_000, event("before"))
    stream.mark_lost([0])
    offer(stream, 7, event("after"))
    response = stream.take()
    assert response is not None and response[2] is not None
    assert response[3]
    assert [e.origin for e in response[1]] == ["before", "after"]
    assert dict(response[2].shards) == {0: "7-0"}
    stream.mark_lost([0])
    assert stream.positions[0] == START


def test_users_are_attached_and_detached() -> None:
    stream = subscriber()
    offer(stream, 1, event("one"))
    stream.attach(Attachments(remove=[UserKey(organization_id=ORGANIZATION, user_id="ann")], request_sequence=3))
    offer(stream, 2, event("two"))
    response = stream.take()
    assert response is not None
    assert (response[0], [e.origin for e in response[1]], stream.users) == (3, ["one"], {})


BAD_ATTACHMENTS = {
    "no organization": Attachments(add=[UserKey(user_id="ann")]),
    "no user": Attachments(add=[UserKey(organization_id="acme")]),
    "a long user": Attachments(add=[UserKey(organization_id="acme", user_id="x" * 65)]),
    "a strange organization": Attachments(remove=[UserKey(organization_id="a/b", user_id="ann")]),
    "a negative sequence": Attachments(request_sequence=-1),
}


@pytest.mark.parametrize("attachments", BAD_ATTACHMENTS.values(), ids=BAD_ATTACHMENTS)
@pytest.mark.parametrize("request_class", [event_pb2.SubscribeRequest, notification_pb2.SubscribeRequest])
def test_the_contract_refuses_malformed_attachments(
    attachments: Attachments, request_class: type[event_pb2.SubscribeRequest | notification_pb2.SubscribeRequest]
) -> None:
    with pytest.raises(InvalidArgumentError):
        validate(request_class(attachments=attachments))


def test_a_stream_attaches_a_bounded_number_of_users() -> None:
    stream = subscriber()
    half = MAX_USERS // 2
    for start in (0, half):
        keys = [UserKey(organization_id="many", user_id=str(n)) for n in range(start, start + half - 1)]
        stream.attach(Attachments(add=keys))
        stream.attach(Attachments(add=keys[:1_000]))  # twice is harmless
    stream.attach(Attachments(remove=keys[:1]))
    stream.attach(Attachments(remove=keys[:1], add=keys[:1]))
    stream.attach(Attachments(add=keys[:1]))
    with pytest.raises(ResourceExhaustedError, match="TOO_MANY_USERS"):
        stream.attach(Attachments(add=[UserKey(organization_id="more", user_id=str(n)) for n in range(3)]))


async def test_the_end_comes_after_pending_events_and_an_error_at_once() -> None:
    ending, failing = subscriber(), subscriber()
    for stream in (ending, failing):
        offer(stream, 1, event("e"))
    ending.end()
    response = await ending.next()
    assert response is not None and len(response[1]) == 1
    assert await ending.next() is None
    failing.fail(UnavailableError("FIRST", "the first one counts"))
    failing.fail(UnavailableError("SECOND", "not this one"))
    with pytest.raises(UnavailableError, match="FIRST"):
        await failing.next()
