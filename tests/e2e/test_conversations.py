"""Users' actions from the socket to the store and back, through Envoy and two replicas of each service."""

from __future__ import annotations

import asyncio

import pytest
from parley_client.errors import ParleyError
from parley_client.events import (
    ConversationCreated,
    Event,
    MemberRemoved,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    NotificationCreated,
    PresenceUpdated,
    ReceiptUpdated,
    TypingUpdated,
)

from tests.e2e.conftest import Company
from tests.e2e.waiting import TIMEOUT_SECONDS, event_of, until


async def test_two_people_talk(company: Company) -> None:
    await company.create_user("ann")
    await company.create_user("bob", "employee")
    ann, bob = await company.client("ann"), await company.client("bob")
    with ann.events() as ann_events, bob.events() as bob_events:
        conversation = (await ann.conversation_direct(user_id="bob")).conversation
        key = conversation.conversation_id
        assert (await event_of(bob_events, ConversationCreated)).conversation.conversation_id == key
        await bob.typing_set(conversation_id=key, active=True)
        assert (await event_of(ann_events, TypingUpdated)).user_id == "bob"
        sent = await ann.send_message(key, "hello")
        received = await event_of(bob_events, MessageCreated)
        assert (received.message.text, received.message.seq, received.message.sender_id) == ("hello", 1, "ann")
        assert received.message.message_id == sent.message_id
        await bob.receipt_read(conversation_id=key, seq=1)
        read = await event_of(ann_events, ReceiptUpdated, lambda e: e.user_id == "bob")
        assert (read.read_seq, read.delivered_seq) == (1, 1)
        await ann.message_edit(conversation_id=key, message_id=sent.message_id, text="hello!")
        assert (await event_of(bob_events, MessageUpdated)).message.text == "hello!"
        await ann.message_delete(conversation_id=key, message_id=sent.message_id)
        gone = (await event_of(bob_events, MessageDeleted)).message
        assert (gone.text, gone.delete_time is not None) == ("", True)


async def test_users_see_others_connect_and_disconnect(company: Company) -> None:
    await company.create_user("ann")
    await company.create_user("bob")
    ann = await company.client("ann")
    with ann.events() as ann_events:
        bob = await company.client("bob")
        await event_of(ann_events, PresenceUpdated, lambda e: e.user_id == "bob" and e.status == "online")
        await bob.presence_set(status="dnd", text="in a meeting")
        busy = await event_of(ann_events, PresenceUpdated, lambda e: e.user_id == "bob" and e.status == "dnd")
        assert busy.text == "in a meeting"
        await bob.close()
        gone = await event_of(ann_events, PresenceUpdated, lambda e: e.user_id == "bob" and e.status == "offline")
        assert gone.last_seen_time is not None


async def test_an_offline_user_gets_one_notification_for_each_conversation(company: Company) -> None:
    await company.create_user("ann")
    await company.create_user("bob")
    ann = await company.client("ann")
    key = (await ann.conversation_direct(user_id="bob")).conversation.conversation_id
    for number in range(3):
        await ann.send_message(key, f"message {number}")
    bob = await company.client("bob")

    async def counted() -> bool:
        page = await bob.notification_list()
        return [(n.type, n.count) for n in page.notifications] == [("NEW_MESSAGE", 3)]

    await until(counted)
    assert (await bob.conversation_get(conversation_id=key)).conversation.unread_count == 3
    with bob.events() as bob_events:
        await bob.receipt_read(conversation_id=key, seq=3)

        async def read() -> bool:
            return (await bob.notification_unread_count()).unread_count == 0

        await until(read)
        await ann.send_message(key, "one more")
        again = await event_of(bob_events, NotificationCreated, lambda e: e.notification.body == "one more")
        assert (again.notification.count, again.unread_count) == (1, 1)


async def test_a_user_who_reconnects_has_missed_nothing(company: Company) -> None:
    await company.create_user("ann")
    await company.create_user("bob")
    ann, bob = await company.client("ann"), await company.client("bob")
    key = (await ann.conversation_direct(user_id="bob")).conversation.conversation_id
    first = await ann.send_message(key, "first")
    await bob.close()
    await ann.message_edit(conversation_id=key, message_id=first.message_id, text="edited")
    second = await ann.send_message(key, "second")
    await ann.message_delete(conversation_id=key, message_id=second.message_id)
    await ann.send_message(key, "third")
    back = await company.client("bob")
    await back.load_history(key)
    shown = [(m.seq, m.text, m.delete_time is not None) for m in back.replica.conversation(key).messages]
    assert shown == [(1, "edited", False), (2, "", True), (3, "third", False)]


async def test_a_removed_members_open_socket_receives_nothing_more(company: Company) -> None:
    for user_id in ("ann", "bob", "cat"):
        await company.create_user(user_id)
    ann, bob, cat = [await company.client(user_id) for user_id in ("ann", "bob", "cat")]
    group = (await ann.conversation_create(kind="group", name="Launch", member_ids=["bob", "cat"])).conversation
    key = group.conversation_id
    with bob.events() as bob_events, cat.events() as cat_events:
        await ann.send_message(key, "welcome")
        await event_of(bob_events, MessageCreated)
        await ann.member_remove(conversation_id=key, user_id="bob")
        removed = await event_of(bob_events, MemberRemoved, lambda e: e.member.user_id == "bob")
        assert removed.member.role == "member"
        await ann.send_message(key, "not for bob")
        await ann.typing_set(conversation_id=key, active=True)
        await event_of(cat_events, MessageCreated, lambda e: e.message.text == "not for bob")
        direct = (await ann.conversation_direct(user_id="bob")).conversation
        await ann.send_message(direct.conversation_id, "the end")
        after = await _until_message(bob_events, "the end")
        assert not [event for event in after if getattr(event, "conversation_id", None) == key]
        assert not [event for event in after if isinstance(event, MessageCreated) and event.message.text != "the end"]
        for refused in (
            bob.send_message(key, "hello?"),
            bob.message_list(conversation_id=key),
            bob.message_sync(conversation_id=key, after_rev=0),
        ):
            with pytest.raises(ParleyError) as error:
                await refused
            assert (error.value.code, error.value.reason) == ("PERMISSION_DENIED", "NOT_A_MEMBER")


async def _until_message(events: object, text: str) -> list[Event]:
    received: list[Event] = []
    async with asyncio.timeout(TIMEOUT_SECONDS):
        async for event in events:  # type: ignore[attr-defined]
            received.append(event)
            if isinstance(event, MessageCreated) and event.message.text == text:
                return received
    raise AssertionError("the connection ended")


async def test_one_client_message_id_posts_once_over_connections_and_replicas(company: Company) -> None:
    await company.create_user("ann")
    await company.create_user("bob")
    clients = [await company.client("ann") for _ in range(4)]
    key = (await clients[0].conversation_direct(user_id="bob")).conversation.conversation_id
    sent = await asyncio.gather(
        *(c.send_message(key, f"text {n}", client_message_id="same") for n, c in enumerate(clients * 3))
    )
    assert {(s.message_id, s.seq, s.rev, s.create_time) for s in sent} == {
        (sent[0].message_id, 1, sent[0].rev, sent[0].create_time)
    }
    later = await company.client("ann")
    assert (await later.send_message(key, "another text", client_message_id="same")).seq == 1
    assert len((await later.message_list(conversation_id=key)).messages) == 1


async def test_the_connection_that_sends_gets_a_reply_and_the_senders_others_the_event(company: Company) -> None:
    await company.create_user("ann")
    await company.create_user("bob")
    here, there, bob = await company.client("ann"), await company.client("ann"), await company.client("bob")
    key = (await here.conversation_direct(user_id="bob")).conversation.conversation_id
    with (
        there.events() as there_events
    ):  # a conversation's first events may come from the store, which doesn't know the sending connection
        await here.send_message(key, "the first")
        await event_of(there_events, MessageCreated)
    with here.events(MessageCreated) as here_events, there.events() as there_events:
        await here.send_message(key, "mine")
        await _until_message(there_events, "mine")
        await bob.send_message(key, "yours")
        received = await _until_message(here_events, "yours")
        assert "mine" not in [event.message.text for event in received if isinstance(event, MessageCreated)]


@pytest.mark.parametrize(
    ("role", "other", "allowed"),
    [
        ("client", "client", False),
        ("client", "agent_l1", True),
        ("client", "manager", True),
        ("sales", "employee", False),
        ("sales", "admin", True),
        ("agent_l2", "client", True),
    ],
)
async def test_who_may_write_to_whom(company: Company, role: str, other: str, allowed: bool) -> None:
    await company.create_user("ann", role)
    await company.create_user("bob", other)
    ann = await company.client("ann")
    matches = [user.user_id for user in (await ann.user_search(query="bob")).users]
    assert (matches == ["bob"]) is allowed
    if allowed:
        assert (await ann.conversation_direct(user_id="bob")).conversation.kind == "direct"
    else:
        with pytest.raises(ParleyError) as error:
            await ann.conversation_direct(user_id="bob")
        assert error.value.code in {"PERMISSION_DENIED", "NOT_FOUND"}


async def test_another_organizations_ids_are_like_absent_ones(company: Company) -> None:
    await company.create_user("ann")
    await company.create_user("bob")
    ann = await company.client("ann")
    key = (await ann.conversation_direct(user_id="bob")).conversation.conversation_id
    sent = await ann.send_message(key, "secret")
    other_company = Company(company.stack, "demo", company.directory, company.tokens)
    try:
        await other_company.create_user(f"u{sent.message_id[:8]}")
        stranger = await other_company.client(f"u{sent.message_id[:8]}")
        for op, body in (
            ("conversation.get", {}),
            ("message.list", {}),
            ("message.sync", {"afterRev": 0}),
            ("message.send", {"clientMessageId": "x", "text": "hi"}),
            ("message.edit", {"messageId": sent.message_id, "text": "mine"}),
            ("message.delete", {"messageId": sent.message_id}),
            ("receipt.read", {"seq": 1}),
            ("typing.set", {"active": True}),
            ("member.add", {"userIds": ["admin"]}),
            ("conversation.update", {"archived": True}),
        ):
            answers = []
            for conversation_id in (key, "A" * 22):
                with pytest.raises(ParleyError) as error:
                    await stranger.request(op, {"conversationId": conversation_id, **body})
                answers.append((error.value.code, error.value.reason, error.value.message))
            assert answers[0] == answers[1], op
            assert answers[0][:2] == ("NOT_FOUND", "CONVERSATION_NOT_FOUND"), op
    finally:
        for client in other_company.clients:
            await client.close()
