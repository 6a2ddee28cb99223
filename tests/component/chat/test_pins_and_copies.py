"""Tests of pins, forwarding, versions and pages around a message, through chat's gRPC server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from parley.chat.v1 import chat_pb2, message_pb2

from chassis.rpc.status import from_rpc_error
from services.chat.domain import MAX_PINNED
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import TIMEOUT, Person, RunningChat


async def reason_of(call: Awaitable[object]) -> str:
    """Returns the reason why a call fails."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return from_rpc_error(refused.value).reason


async def test_members_pin_and_unpin_messages(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    ids = [(await ann.send(key, f"{n}")).message_id for n in range(3)]
    await bob.pin(key, ids[2])
    pinned = await ann.pin(key, ids[0])
    assert pinned == await ann.pin(key, ids[0])
    assert [m.message_id for m in await bob.pinned(key)] == [ids[0], ids[2]]
    assert not (await ann.pin(key, ids[2], pinned=False)).pinned
    assert [(m.message_id, m.pinned) for m in await bob.pinned(key)] == [(ids[0], True)]
    await ann.delete(key, ids[0])
    assert await bob.pinned(key) == []
    assert await reason_of(bob.pin(key, ids[0])) == "MESSAGE_DELETED"


async def test_a_repeat_tells_a_former_member_nothing(ann: Person, bob: Person, chat: RunningChat) -> None:
    key = (await ann.create_group("Board", bob.user_id)).conversation_id
    sent = await ann.send(key, "harmless")
    react = message_pb2.AddReactionRequest(
        conversation_id=key, message_id=sent.message_id, emoji="👍", request_id="once"
    )
    pin = message_pb2.PinMessageRequest(conversation_id=key, message_id=sent.message_id, request_id="once")
    requests: tuple[tuple[Any, Any], ...] = ((chat.messages.AddReaction, react), (chat.messages.PinMessage, pin))
    for call, request in requests:
        first = await call(request, metadata=bob.metadata, timeout=TIMEOUT)
        assert first.message.text == "harmless"
    await ann.remove(key, bob.user_id)
    await ann.edit(key, sent.message_id, "secret")
    for call, request in requests:
        assert await reason_of(call(request, metadata=bob.metadata, timeout=TIMEOUT)) == "NOT_A_MEMBER"


async def test_a_conversation_has_a_limited_number_of_pinned_messages(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    sent = await asyncio.gather(*(ann.send(key, f"{n}") for n in range(MAX_PINNED + 2)))
    for one in sent[:MAX_PINNED]:
        await ann.pin(key, one.message_id)
    assert await reason_of(ann.pin(key, sent[MAX_PINNED].message_id)) == "TOO_MANY_PINNED"
    await ann.pin(key, sent[0].message_id, pinned=False)
    await ann.pin(key, sent[MAX_PINNED].message_id)
    assert len(await bob.pinned(key)) == MAX_PINNED


async def test_a_conversation_is_pinned_for_oneself(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    pinned = await ann.pin_conversation(key)
    assert pinned.pinned
    assert (await ann.conversation(key)).rev == pinned.rev
    assert [c.pinned for c in (await ann.list()).conversations] == [True]
    assert not (await bob.conversation(key)).pinned
    await ann.send(key, "one")
    assert (await ann.conversation(key)).pinned
    assert not (await ann.pin_conversation(key, pinned=False)).pinned


async def test_versions_are_for_the_sender_and_admins_until_the_deletion(
    ann: Person, bob: Person, auth: RunningAuth, chat: RunningChat, organization_id: str
) -> None:
    cat = chat.as_user(await auth.sign_in_new(organization_id, "manager"))
    key = (await ann.create_group("Launch", bob.user_id, cat.user_id)).conversation_id
    sent = await bob.send(key, "one")
    assert [v.text for v in await bob.versions(key, sent.message_id)] == ["one"]
    edits = [await bob.edit(key, sent.message_id, text) for text in ("two", "three")]
    versions = await ann.versions(key, sent.message_id)
    assert [v.text for v in versions] == ["one", "two", "three"]
    assert [v.time for v in versions] == [sent.create_time, *(edit.edit_time for edit in edits)]
    await ann.react(key, sent.message_id, "👍")
    assert await bob.versions(key, sent.message_id) == versions
    assert await reason_of(cat.versions(key, sent.message_id)) == "NOT_THE_SENDER"
    await bob.delete(key, sent.message_id)
    assert await reason_of(bob.versions(key, sent.message_id)) == "MESSAGE_DELETED"


async def test_a_forwarded_message_names_the_first_one(ann: Person, bob: Person) -> None:
    source = (await ann.direct(bob.user_id)).conversation_id
    one, two = [(await ann.create_group(name)).conversation_id for name in ("One", "Two")]
    sent = await bob.send(source, "hello")
    copies = await ann.forward(source, sent.message_id, one, two, key="key")
    assert [copy.conversation_id for copy in copies] == [one, two]
    assert {(c.text, c.sender_id, c.forwarded_from.sender_id) for c in copies} == {("hello", ann.user_id, bob.user_id)}
    assert {c.forwarded_from.message_id for c in copies} == {sent.message_id}
    (again,) = await ann.forward(one, copies[0].message_id, two)
    assert again.forwarded_from == copies[0].forwarded_from
    assert await ann.forward(source, sent.message_id, one, two, key="key") == copies
    await bob.delete(source, sent.message_id)
    assert await ann.forward(source, sent.message_id, one, two, key="key") == copies
    assert [m.text for m in (await ann.history(one)).messages] == ["hello"]
    assert await reason_of(ann.forward(source, sent.message_id, one)) == "MESSAGE_DELETED"


async def test_forwarding_needs_membership_in_all_conversations(ann: Person, bob: Person) -> None:
    source = (await ann.direct(bob.user_id)).conversation_id
    mine = (await ann.create_group("Mine")).conversation_id
    theirs = (await ann.create_group("Theirs", bob.user_id)).conversation_id
    await ann.remove(theirs, ann.user_id)
    sent = await ann.send(source, "hello")
    assert await reason_of(ann.forward(source, sent.message_id, mine, theirs)) == "NOT_A_MEMBER"
    assert (await ann.history(mine)).messages == []
    hidden = await bob.send(theirs, "a secret")
    assert await reason_of(ann.forward(theirs, hidden.message_id, mine)) == "NOT_A_MEMBER"
    assert await reason_of(ann.forward(source, hidden.message_id, mine)) == "MESSAGE_NOT_FOUND"


@pytest.mark.parametrize(
    ("seq", "size", "shown"),
    [
        (5, 3, ([4, 5, 6], True)),
        (5, 4, ([4, 5, 6, 7], True)),
        (1, 3, ([1, 2, 3], True)),
        (9, 3, ([7, 8, 9], True)),
        (99, 2, ([8, 9], True)),
        (5, 9, ([1, 2, 3, 4, 5, 6, 7, 8, 9], False)),
        (2, 200, ([1, 2, 3, 4, 5, 6, 7, 8, 9], False)),
    ],
)
async def test_a_page_around_a_message(
    ann: Person, bob: Person, seq: int, size: int, shown: tuple[list[int], bool]
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    for n in range(9):
        await ann.send(key, f"{n}")
    page = await bob.history(key, around_seq=seq, page_size=size)
    assert ([m.seq for m in page.messages], page.has_more) == shown


async def test_a_page_of_long_contacts_ends_at_its_size(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    data = Struct()
    data.update({"name": "Many", "emails": [f"{number:02}{'x' * 240}@a.example" for number in range(20)]})
    kind = chat_pb2.MESSAGE_KIND_CONTACT
    await asyncio.gather(*(ann.send(key, "", kind=kind, data=data) for _ in range(60)))  # 300,000 characters
    page = await bob.history(key, page_size=60)
    assert page.has_more
    assert 40 < len(page.messages) < 60
    changes = await bob.sync(key, 0, page_size=60)
    assert changes.has_more
    assert 40 < len(changes.messages) < 60
