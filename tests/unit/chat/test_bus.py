"""Tests of the encoding of event log entries."""

from __future__ import annotations

import pytest
from parley.chat.v1 import event_pb2

from services.chat import bus


def _event(organization: str, length: int) -> event_pb2.Event:
    event = event_pb2.Event(organization_id=organization, recipients=["ann", "bob"])
    event.message_created.message.text = "x" * length
    return event


@pytest.mark.parametrize("length", [0, 1, 90, 127, 128, 129, 16_000, 16_384, 70_000])
def test_events_are_read_as_they_were_published(length: int) -> None:
    events = [_event(organization, length) for organization in ("one", "other", "one")]
    entries = bus.entries_of(events)
    assert [organization for organization, _ in entries] == ["one", "other"]
    read = {organization: list(bus.parse(payload)) for organization, payload in entries}
    assert read == {"one": [events[0], events[2]], "other": [events[1]]}


def test_an_entry_stays_short_and_the_order_stays() -> None:
    events = [_event("one", 16_000 + n) for n in range(200)]
    entries = bus.entries_of(events)
    assert len(entries) > 1
    assert all(len(payload) <= bus.MAX_ENTRY_BYTES for _, payload in entries)
    assert [event for _, payload in entries for event in bus.parse(payload)] == events


@pytest.mark.parametrize(
    ("users", "recipients"),
    [({"ann", "bob", "cat"}, ["ann", "bob"]), ({"bob"}, ["bob"]), ({"cat"}, None), (set(), None)],
)
def test_an_event_is_routed_to_those_that_are_held(users: set[str], recipients: list[str] | None) -> None:
    event = _event("one", 1)
    routed = bus.route(event, users)
    assert (None if routed is None else list(routed.recipients)) == recipients
    assert list(event.recipients) == ["ann", "bob"]
