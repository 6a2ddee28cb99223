"""Every dialect has an encoder for every event: an event added to the protos fails a test until it has one."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor
from parley.chat.v1 import event_pb2
from parley.notify.v1 import notification_pb2

from tests.unit.gateway.dialects.decisions import CHAT_EVENTS, NOTIFY_EVENTS, events_of, table_of, undecided
from tests.unit.gateway.dialects.fixture import dialects
from tests.unit.gateway.dialects.story import chat_events, notify_events

DIALECTS = dialects()


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_each_dialect_has_decided_of_every_event(name: str) -> None:
    assert undecided(CHAT_EVENTS, table_of(DIALECTS[name])) == set()


def test_the_story_has_every_event() -> None:
    """So the files in `goldens/` show every event in every dialect."""
    assert undecided(CHAT_EVENTS, {event.WhichOneof("payload") or "" for event in chat_events("").values()}) == set()
    assert undecided(NOTIFY_EVENTS, {event.WhichOneof("payload") or "" for event in notify_events().values()}) == set()


def with_one_more_event(message: Descriptor, name: str) -> Descriptor:
    """Returns a message whose proto has one more event."""
    file: Any = descriptor_pb2.FileDescriptorProto()
    message.file.CopyToProto(file)
    described = next(one for one in file.message_type if one.name == message.name)
    described.field.add(
        name=name,
        number=max(field.number for field in described.field) + 1,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
        label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
        oneof_index=next(index for index, oneof in enumerate(described.oneof_decl) if oneof.name == "payload"),
    )
    pool = descriptor_pool.DescriptorPool()
    _add_with_dependencies(pool, message.file, file)
    return pool.FindMessageTypeByName(message.full_name)


def _add_with_dependencies(pool: Any, file: Any, as_proto: Any = None) -> None:
    for needed in file.dependencies:
        try:
            pool.FindFileByName(needed.name)
        except KeyError:
            _add_with_dependencies(pool, needed)
    if as_proto is None:
        as_proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(as_proto)
    pool.Add(as_proto)


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_an_event_that_chat_gains_is_noticed(name: str) -> None:
    events = events_of(with_one_more_event(event_pb2.Event.DESCRIPTOR, "reaction_added"))
    assert undecided(events, table_of(DIALECTS[name])) == {"reaction_added"}


def test_an_event_that_notify_gains_is_noticed() -> None:
    events = events_of(with_one_more_event(notification_pb2.Event.DESCRIPTOR, "notification_snoozed"))
    decided = {event.WhichOneof("payload") or "" for event in notify_events().values()}
    assert undecided(events, decided) == {"notification_snoozed"}


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_a_decision_that_is_missing_or_of_no_event_is_noticed(name: str) -> None:
    table = dict(table_of(DIALECTS[name]))
    del table["member_updated"]
    assert undecided(CHAT_EVENTS, table) == {"member_updated"}
    assert undecided(CHAT_EVENTS, {**table, "member_updated": None, "member_promoted": None}) == {"member_promoted"}
