"""Tests that chat rejects invalid requests with the right error, and that none of them affects other calls."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from parley.chat.v1 import chat_pb2, conversation_pb2, draft_pb2, event_pb2, message_pb2, schedule_pb2
from parley.stream.v1.stream_pb2 import Attachments, UserKey

from chassis.errors import Category
from chassis.rpc.channel import Metadata
from chassis.rpc.paging import encode_token
from chassis.rpc.status import from_rpc_error
from tests.component.auth_service import RunningAuth
from tests.component.bad_input import Call, answer, check, methods_of
from tests.component.chat.running import Person

METHODS = methods_of(
    *(
        service
        for module in (conversation_pb2, draft_pb2, event_pb2, message_pb2, schedule_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
    )
)


class Fixture(NamedTuple):
    """A group of two members with a message, and the callers."""

    ann: Person
    bob: Person
    conversation_id: str
    message_id: str
    service: Metadata
    organization_id: str
    scheduled_id: str

    @property
    def actor(self) -> message_pb2.Actor:
        """Returns Ann as a gateway names her."""
        return message_pb2.Actor(organization_id=self.organization_id, user_id=self.ann.user_id, name="Ann")

    def draft(self) -> message_pb2.Draft:
        """Returns a message that was not sent yet."""
        return message_pb2.Draft(
            conversation_id=self.conversation_id, client_message_id=secrets.token_hex(8), text="hello"
        )


@pytest.fixture
async def fixture(auth: RunningAuth, ann: Person, bob: Person, organization_id: str) -> Fixture:
    """See `Fixture`."""
    conversation = await ann.create_group("Launch", bob.user_id)
    sent = await ann.send(conversation.conversation_id, "one")
    metadata = await auth.service_metadata()
    key = conversation.conversation_id
    scheduled = (await ann.schedule(key, "later", timedelta(days=1))).scheduled_message_id
    return Fixture(ann, bob, key, sent.message_id, metadata, organization_id, scheduled)


def in_days(days: int) -> Timestamp:
    """Returns the time in so many days."""
    time = Timestamp()
    time.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    return time


def send_messages(fixture: Fixture) -> Message:
    request = message_pb2.SendMessagesRequest()
    request.items.add(actor=fixture.actor, draft=fixture.draft())
    return request


def send_signals(fixture: Fixture) -> Message:
    request = message_pb2.SendSignalsRequest()
    mark = message_pb2.MarkReadRequest(conversation_id=fixture.conversation_id, seq=1)
    request.items.add(actor=fixture.actor, read=mark)
    return request


def batch_list_messages(fixture: Fixture) -> Message:
    request = message_pb2.BatchListMessagesRequest()
    request.items.add(actor=fixture.actor, request=m.ListMessagesRequest(conversation_id=fixture.conversation_id))
    return request


def subscribe(fixture: Fixture) -> Message:
    key = UserKey(organization_id=fixture.organization_id, user_id=fixture.ann.user_id)
    return event_pb2.SubscribeRequest(attachments=Attachments(add=[key], request_sequence=1))


def update_conversation(fixture: Fixture) -> Message:
    conversation = chat_pb2.Conversation(
        conversation_id=fixture.conversation_id,
        name="Launch",
        tags=["a"],
        muted_until_time=Timestamp(seconds=4_000_000_000),
    )
    mask = FieldMask(paths=["name", "description", "archived", "tags", "muted_until_time"])
    return conversation_pb2.UpdateConversationRequest(conversation=conversation, update_mask=mask)


QUERY = "conversations 0 None 0"
Make = Callable[[Fixture], Message]
c, m = conversation_pb2, message_pb2
GROUP = chat_pb2.CONVERSATION_KIND_GROUP
GOOD: dict[str, Make] = {
    "GetOrCreateDirectConversation": lambda s: c.GetOrCreateDirectConversationRequest(user_id=s.bob.user_id),
    "CreateConversation": lambda s: c.CreateConversationRequest(kind=GROUP, name="Two", member_ids=[s.bob.user_id]),
    "JoinRoom": lambda _: c.JoinRoomRequest(external_ref="support", name="Support"),
    "GetConversation": lambda s: c.GetConversationRequest(conversation_id=s.conversation_id),
    "ListConversations": lambda _: c.ListConversationsRequest(page_size=10),
    "UpdateConversation": update_conversation,
    "AddMembers": lambda s: c.AddMembersRequest(conversation_id=s.conversation_id, user_ids=[s.bob.user_id]),
    "RemoveMember": lambda s: c.RemoveMemberRequest(conversation_id=s.conversation_id, user_id=s.bob.user_id),
    "UpdateMember": lambda s: c.UpdateMemberRequest(
        conversation_id=s.conversation_id,
        member=chat_pb2.Member(user_id=s.bob.user_id, role=chat_pb2.MEMBER_ROLE_MEMBER),
    ),
    "ListMembers": lambda s: c.ListMembersRequest(conversation_id=s.conversation_id),
    "Subscribe": subscribe,
    "SendMessages": send_messages,
    "SendMessage": lambda s: m.SendMessageRequest(draft=s.draft()),
    "GetMessage": lambda s: m.GetMessageRequest(message_id=s.message_id),
    "ListMessages": lambda s: m.ListMessagesRequest(conversation_id=s.conversation_id, before_seq=5),
    "SyncMessages": lambda s: m.SyncMessagesRequest(conversation_id=s.conversation_id, after_rev=0),
    "EditMessage": lambda s: m.EditMessageRequest(
        conversation_id=s.conversation_id, message_id=s.message_id, text="two"
    ),
    "DeleteMessage": lambda s: m.DeleteMessageRequest(conversation_id=s.conversation_id, message_id=s.message_id),
    "AddReaction": lambda s: m.AddReactionRequest(
        conversation_id=s.conversation_id, message_id=s.message_id, emoji="👍"
    ),
    "RemoveReaction": lambda s: m.RemoveReactionRequest(
        conversation_id=s.conversation_id, message_id=s.message_id, emoji="👍"
    ),
    "PinMessage": lambda s: m.PinMessageRequest(conversation_id=s.conversation_id, message_id=s.message_id),
    "UnpinMessage": lambda s: m.UnpinMessageRequest(conversation_id=s.conversation_id, message_id=s.message_id),
    "ListPinnedMessages": lambda s: m.ListPinnedMessagesRequest(conversation_id=s.conversation_id),
    "ListMessageVersions": lambda s: m.ListMessageVersionsRequest(
        conversation_id=s.conversation_id, message_id=s.message_id
    ),
    "ListMessageReceipts": lambda s: m.ListMessageReceiptsRequest(
        conversation_id=s.conversation_id, message_id=s.message_id
    ),
    "ForwardMessage": lambda s: m.ForwardMessageRequest(
        conversation_id=s.conversation_id,
        message_id=s.message_id,
        to_conversation_ids=[s.conversation_id],
        client_message_id=secrets.token_hex(8),
    ),
    "PinConversation": lambda s: c.PinConversationRequest(conversation_id=s.conversation_id),
    "UnpinConversation": lambda s: c.UnpinConversationRequest(conversation_id=s.conversation_id),
    "SetDraft": lambda s: draft_pb2.SetDraftRequest(conversation_id=s.conversation_id, text="Dear Bob"),
    "ListDrafts": lambda _: draft_pb2.ListDraftsRequest(),
    "ScheduleMessage": lambda s: schedule_pb2.ScheduleMessageRequest(
        conversation_id=s.conversation_id, client_message_id=secrets.token_hex(8), text="later", send_time=in_days(1)
    ),
    "ListScheduledMessages": lambda _: schedule_pb2.ListScheduledMessagesRequest(),
    "RescheduleMessage": lambda s: schedule_pb2.RescheduleMessageRequest(
        scheduled_message_id=s.scheduled_id, text="another", send_time=in_days(2)
    ),
    "UnscheduleMessage": lambda s: schedule_pb2.UnscheduleMessageRequest(scheduled_message_id=s.scheduled_id),
    "MarkRead": lambda s: m.MarkReadRequest(conversation_id=s.conversation_id, seq=1),
    "MarkDelivered": lambda s: m.MarkDeliveredRequest(conversation_id=s.conversation_id, seq=1),
    "SetTyping": lambda s: m.SetTypingRequest(conversation_id=s.conversation_id, active=True),
    "SendSignals": send_signals,
    "BatchListMessages": batch_list_messages,
}
FOR_SERVICES = {"Subscribe", "SendMessages", "SendSignals", "BatchListMessages"}


def call_of(name: str, fixture: Fixture) -> Call:
    """Returns a valid call of a method."""
    queries = {
        "ListConversations": (QUERY,),
        "ListMembers": (f"members {fixture.conversation_id}",),
    }
    metadata = fixture.service if name in FOR_SERVICES else fixture.ann.metadata
    return Call(GOOD[name](fixture), metadata, queries=queries.get(name, ()))


def test_every_method_has_rows() -> None:
    assert set(GOOD) == set(METHODS)
    assert {name for name, *_ in ROWS} == set(METHODS) - {"ListDrafts"}  # which has no fields


@pytest.mark.parametrize("name", METHODS)
async def test_nothing_that_is_wrong_with_a_request_is_a_fault_of_ours(fixture: Fixture, name: str) -> None:
    assert await check(fixture.ann.chat.channel, METHODS[name], call_of(name, fixture)) == []


FORGED: list[list[Any]] = [[], [1], ["a", "b"], [1 << 63, "a"], [-1, "a"], [1, "a", 2], [{}, []]]
ABSENT = "0123456789abcdef012345"
LONG = "x" * 65
ZWJ_MONSTER = "\u200d".join("👩👨👧👦👩👨👧👦")
BAD, MISSING, DENIED = Category.INVALID_ARGUMENT, Category.NOT_FOUND, Category.PERMISSION_DENIED
LATE, EARLY = Timestamp(seconds=253_402_300_800), Timestamp(seconds=-62_135_596_801)
NEGATIVE = Timestamp(seconds=1, nanos=-1)
NAMED = [
    "GetConversation", "UpdateConversation", "AddMembers", "RemoveMember", "UpdateMember", "ListMembers", "SendMessage",
    "ListMessages", "SyncMessages", "EditMessage", "DeleteMessage", "MarkRead", "MarkDelivered", "SetTyping",
    "AddReaction", "RemoveReaction", "PinMessage", "UnpinMessage", "ListPinnedMessages", "ListMessageVersions",
    "ForwardMessage", "PinConversation", "UnpinConversation", "SetDraft", "ScheduleMessage", "ListMessageReceipts",
]  # fmt: skip
"""The methods that concern one conversation."""
MUTATIONS = [
    "GetOrCreateDirectConversation", "CreateConversation", "JoinRoom", "UpdateConversation", "AddMembers",
    "RemoveMember", "UpdateMember", "EditMessage", "DeleteMessage", "AddReaction", "RemoveReaction",
    "PinMessage", "UnpinMessage", "PinConversation", "UnpinConversation", "SetDraft", "RescheduleMessage",
    "UnscheduleMessage",
]  # fmt: skip
"""The methods that take a request id."""
WITHIN = {"UpdateConversation": "conversation.", "SendMessage": "draft."}


class Row(NamedTuple):
    """The expected error when one field of a valid request has another value; `named` is the field's JSON name."""

    name: str
    field: str
    value: Any
    category: Category
    reason: str
    named: str = ""


def _invalid(name: str, field: str, named: str, *values: Any) -> list[Row]:
    return [Row(name, field, value, BAD, "INVALID_FIELDS", named) for value in values]


ROWS = [
    *(
        row
        for name in NAMED
        for field in (f"{WITHIN.get(name, '')}conversation_id",)
        for row in (
            *_invalid(name, field, "conversationId", "", LONG),
            Row(name, field, ABSENT, MISSING, "CONVERSATION_NOT_FOUND"),
            Row(name, field, "a\x00b", MISSING, "CONVERSATION_NOT_FOUND"),
            Row(name, field, "FOREIGN", MISSING, "CONVERSATION_NOT_FOUND"),
        )
    ),
    *(row for name in MUTATIONS for row in _invalid(name, "request_id", "requestId", LONG)),
    *_invalid("GetOrCreateDirectConversation", "user_id", "userId", "", LONG, "a b", "ä", "a\n"),
    Row("GetOrCreateDirectConversation", "user_id", "nobody", MISSING, "USER_NOT_FOUND"),
    Row("GetOrCreateDirectConversation", "user_id", "FOREIGN USER", MISSING, "USER_NOT_FOUND"),
    *_invalid("CreateConversation", "kind", "kind", 0, 1, 99, -1),
    *_invalid("CreateConversation", "name", "name", "", "   ", "x" * 201),
    *_invalid("CreateConversation", "description", "description", "x" * 2_001),
    *_invalid("CreateConversation", "external_ref", "externalRef", "x" * 201),
    *_invalid("CreateConversation", "member_ids", "memberIds", [""], [LONG], [f"u{n}" for n in range(5_000)]),
    Row("CreateConversation", "member_ids", ["nobody"], MISSING, "USER_NOT_FOUND"),
    Row("CreateConversation", "member_ids", ["FOREIGN USER"], MISSING, "USER_NOT_FOUND"),
    Row("CreateConversation", "kind", chat_pb2.CONVERSATION_KIND_PROJECT, BAD, "INVALID_FIELDS", "externalRef"),
    *_invalid("JoinRoom", "external_ref", "externalRef", "", "   ", "x" * 201),
    *_invalid("JoinRoom", "name", "name", "   ", "x" * 201),
    *_invalid("ListConversations", "kind", "kind", 99, -1),
    *_invalid("ListConversations", "external_ref", "externalRef", "x" * 201),
    *_invalid("ListConversations", "updated_after", "updatedAfter", LATE, EARLY, NEGATIVE),
    Row("ListConversations", "page_size", -1, BAD, "INVALID_FIELDS", "pageSize"),
    Row("ListConversations", "page_token", "AAAA", BAD, "INVALID_PAGE_TOKEN", "pageToken"),
    *(
        Row("ListConversations", "page_token", encode_token(cursor, QUERY), BAD, "INVALID_PAGE_TOKEN")
        for cursor in FORGED
    ),
    *_invalid("UpdateConversation", "update_mask.paths", "updateMask", [], ["seq"], ["nothing"], [""]),
    *_invalid("UpdateConversation", "conversation.name", "name", "", " ", "x" * 201),
    *_invalid("UpdateConversation", "conversation.description", "description", "x" * 2_001),
    *_invalid("UpdateConversation", "conversation.tags", "tags", [""], ["x" * 51], [f"t{n}" for n in range(21)]),
    *_invalid("UpdateConversation", "conversation.muted_until_time", "mutedUntil", LATE, EARLY, NEGATIVE),
    *_invalid("AddMembers", "user_ids", "userIds", [], [""], ["a b"], [f"u{n}" for n in range(5_000)]),
    Row("AddMembers", "user_ids", ["nobody"], MISSING, "USER_NOT_FOUND"),
    Row("AddMembers", "user_ids", ["FOREIGN USER"], MISSING, "USER_NOT_FOUND"),
    *_invalid("RemoveMember", "user_id", "userId", "", LONG),
    Row("RemoveMember", "user_id", "nobody", MISSING, "MEMBER_NOT_FOUND"),
    *_invalid("UpdateMember", "member.user_id", "userId", "", LONG),
    *_invalid("UpdateMember", "member.role", "role", 0, 99, -1),
    Row("UpdateMember", "member.user_id", "nobody", MISSING, "MEMBER_NOT_FOUND"),
    Row("ListMembers", "page_size", -1, BAD, "INVALID_FIELDS", "pageSize"),
    Row("ListMembers", "page_token", "AAAA", BAD, "INVALID_PAGE_TOKEN", "pageToken"),
    *_invalid("SendMessage", "draft.client_message_id", "clientMessageId", "", LONG),
    *_invalid("SendMessage", "draft.text", "text", "", "  ", "ä" * 8_193, "x" * 16_385),
    *_invalid("SendMessage", "draft.kind", "kind", chat_pb2.MESSAGE_KIND_SYSTEM, 99, -1),
    *_invalid("SendMessage", "draft.reply_to", "replyTo", LONG),
    Row("SendMessage", "draft.reply_to", ABSENT, BAD, "REPLY_NOT_FOUND", "replyTo"),
    *_invalid("SendMessage", "draft.mentions", "mentions", [""], [LONG], [f"u{n}" for n in range(51)]),
    *(
        Row("SendMessage", "draft.attachments", [chat_pb2.Attachment(**fields)], BAD, "INVALID_FIELDS", named)
        for fields, named in (
            ({}, "attachments[0].url"),
            ({"url": "javascript:alert(1)"}, "attachments"),
            ({"url": "https://" + "x" * 2_000}, "attachments[0].url"),
            ({"url": "https://a.example", "name": "x" * 201}, "attachments[0].name"),
            ({"url": "https://a.example", "content_type": "x" * 101}, "attachments[0].contentType"),
            ({"url": "https://a.example", "size_bytes": -1}, "attachments[0].sizeBytes"),
        )
    ),
    *_invalid("GetMessage", "message_id", "messageId", "", LONG),
    Row("GetMessage", "message_id", ABSENT, MISSING, "MESSAGE_NOT_FOUND"),
    Row("GetMessage", "message_id", "FOREIGN MESSAGE", MISSING, "MESSAGE_NOT_FOUND"),
    *_invalid("ListMessages", "before_seq", "beforeSeq", 0, -1),
    *_invalid("ListMessages", "after_seq", "afterSeq", -1),
    Row("ListMessages", "page_size", -1, BAD, "INVALID_FIELDS", "pageSize"),
    *_invalid("SyncMessages", "after_rev", "afterRev", -1),
    Row("SyncMessages", "page_size", -1, BAD, "INVALID_FIELDS", "pageSize"),
    *_invalid("EditMessage", "message_id", "messageId", "", LONG),
    *_invalid("EditMessage", "text", "text", "", " ", "x" * 16_385),
    Row("EditMessage", "message_id", ABSENT, MISSING, "MESSAGE_NOT_FOUND"),
    Row("EditMessage", "message_id", "FOREIGN MESSAGE", MISSING, "MESSAGE_NOT_FOUND"),
    *_invalid("DeleteMessage", "message_id", "messageId", "", LONG),
    Row("DeleteMessage", "message_id", ABSENT, MISSING, "MESSAGE_NOT_FOUND"),
    Row("DeleteMessage", "message_id", "FOREIGN MESSAGE", MISSING, "MESSAGE_NOT_FOUND"),
    *(
        row
        for name in ("PinMessage", "UnpinMessage", "ListMessageVersions", "ListMessageReceipts", "ForwardMessage")
        for row in (
            *_invalid(name, "message_id", "messageId", "", LONG),
            Row(name, "message_id", ABSENT, MISSING, "MESSAGE_NOT_FOUND"),
            Row(name, "message_id", "FOREIGN MESSAGE", MISSING, "MESSAGE_NOT_FOUND"),
        )
    ),
    *_invalid("ForwardMessage", "to_conversation_ids", "toConversationIds", [], [""], [LONG], ["c"] * 21),
    Row("ForwardMessage", "to_conversation_ids", [ABSENT], MISSING, "CONVERSATION_NOT_FOUND"),
    Row("ForwardMessage", "to_conversation_ids", ["FOREIGN"], MISSING, "CONVERSATION_NOT_FOUND"),
    *_invalid("ForwardMessage", "client_message_id", "clientMessageId", "", LONG),
    *_invalid("ListMessages", "around_seq", "aroundSeq", 0, -1),
    *(
        row
        for name in ("AddReaction", "RemoveReaction")
        for row in (
            *_invalid(name, "message_id", "messageId", "", LONG),
            *_invalid(name, "emoji", "emoji", "", "a", "+1", ":thumbsup:", "👍👍", "👍 ", "#", "7", "🏽", "🇩"),
            *_invalid(name, "emoji", "emoji", ZWJ_MONSTER, "x" * 65),
            Row(name, "message_id", ABSENT, MISSING, "MESSAGE_NOT_FOUND"),
            Row(name, "message_id", "FOREIGN MESSAGE", MISSING, "MESSAGE_NOT_FOUND"),
        )
    ),
    *(
        Row("SendMessage", "draft.kind", kind, BAD, "INVALID_FIELDS", named)
        for kind, named in ((7, "attachments"), (8, "data"), (9, "data"), (10, "attachments"))
    ),
    *_invalid("SendMessage", "draft.data", "data", {"latitude": 1}),
    *_invalid("SetDraft", "text", "text", "x" * 16_385),
    *_invalid("SetDraft", "reply_to", "replyTo", LONG),
    *_invalid("ScheduleMessage", "client_message_id", "clientMessageId", "", LONG),
    *_invalid("ScheduleMessage", "text", "text", "", " ", "x" * 16_385),
    *_invalid("ScheduleMessage", "send_time", "sendTime", in_days(0), in_days(-1), in_days(367), LATE, EARLY, NEGATIVE),
    *_invalid("ListScheduledMessages", "conversation_id", "conversationId", LONG),
    *(
        row
        for name in ("RescheduleMessage", "UnscheduleMessage")
        for row in (
            *_invalid(name, "scheduled_message_id", "scheduledMessageId", "", LONG),
            Row(name, "scheduled_message_id", ABSENT, MISSING, "SCHEDULED_MESSAGE_NOT_FOUND"),
        )
    ),
    *_invalid("RescheduleMessage", "text", "text", "", " ", "x" * 16_385),
    *_invalid("RescheduleMessage", "send_time", "sendTime", in_days(0), in_days(-1), in_days(367), LATE, NEGATIVE),
    *_invalid("MarkRead", "seq", "seq", 0, -1),
    *_invalid("MarkDelivered", "seq", "seq", 0, -1),
    *_invalid("Subscribe", "attachments.request_sequence", "attachments.requestSequence", -1),
    *_invalid("Subscribe", "attachments.add", "attachments.add[0].organizationId", [UserKey(user_id="ann")]),
    *_invalid("Subscribe", "attachments.remove", "attachments.remove[0].userId", [UserKey(organization_id="acme")]),
    *_invalid("Subscribe", "resume_cursors.shards", "resumeCursors.shards", {0: ""}, {0: "abc"}, {1: "1-2-3"}),
    Row("SendMessages", "items", [m.SendMessagesRequest.Item()] * 1_001, BAD, "INVALID_FIELDS", "items"),
    Row("BatchListMessages", "items", [m.BatchListMessagesRequest.Item()] * 201, BAD, "INVALID_FIELDS", "items"),
    Row("SendSignals", "items", [m.SendSignalsRequest.Item()] * 1_001, BAD, "INVALID_FIELDS", "items"),
]  # fmt: skip


class Foreign(NamedTuple):
    """Ids of another organization, by their placeholders in rows."""

    values: dict[str, str]

    def of(self, value: Any) -> Any:
        """Returns a row's value, with placeholders replaced."""
        if isinstance(value, list):
            return [self.of(each) for each in value]
        return self.values.get(value, value) if isinstance(value, str) else value


@pytest.fixture
async def foreign(auth: RunningAuth, fixture: Fixture) -> Foreign:
    """A conversation with a message, and a user, of another organization."""
    elsewhere = f"{fixture.organization_id}-2"
    await auth.create_organization(elsewhere)
    zoe, yve = [fixture.ann.chat.as_user(await auth.sign_in_new(elsewhere, "manager")) for _ in range(2)]
    conversation = await zoe.direct(yve.user_id)
    sent = await zoe.send(conversation.conversation_id, "a secret")
    values = {"FOREIGN": conversation.conversation_id, "FOREIGN MESSAGE": sent.message_id, "FOREIGN USER": zoe.user_id}
    return Foreign(values)


def set_at(request: Any, path: str, value: Any) -> None:
    """Sets a field to another value."""
    *outer, name = path.split(".")
    for each in outer:
        request = getattr(request, each)
    field = request.DESCRIPTOR.fields_by_name[name]
    request.ClearField(name)
    if isinstance(value, dict):
        getattr(request, name).update(value)
    elif field.is_repeated:
        getattr(request, name).extend(value)
    elif field.message_type is not None:
        getattr(request, name).CopyFrom(value)
    else:
        setattr(request, name, value)


@pytest.mark.parametrize("name", METHODS)
async def test_each_mistake_has_its_answer(fixture: Fixture, foreign: Foreign, name: str) -> None:
    call = call_of(name, fixture)
    wrong = []
    for row in (row for row in ROWS if row.name == name):
        request = type(call.good)()
        request.CopyFrom(call.good)
        set_at(request, row.field, foreign.of(row.value))
        error = await answer(fixture.ann.chat.channel, METHODS[name], request, await call.caller())
        got = (error.category, error.reason) if error else None
        if got != (row.category, row.reason) or (row.named and row.named not in (error.fields if error else {})):
            wrong.append(f"{row.field} = {str(row.value)[:60]!r}: {error} {error.fields if error else ''}")
    assert wrong == []


BATCH_ROWS: dict[str, tuple[str, Any, Category]] = {
    "no actor": ("actor", message_pb2.Actor(), MISSING),
    "a user who is not there": ("actor.user_id", "nobody", DENIED),
    "a long user": ("actor.user_id", "x" * 20_000, DENIED),
    "another organization": ("actor.organization_id", "elsewhere", MISSING),
    "no conversation": ("draft.conversation_id", "", BAD),
    "no text": ("draft.text", "", BAD),
    "no client message id": ("draft.client_message_id", "", BAD),
}


async def test_a_bad_item_of_a_batch_harms_no_other(fixture: Fixture) -> None:
    request = message_pb2.SendMessagesRequest()
    for path, value, _ in BATCH_ROWS.values():
        item = request.items.add(actor=fixture.actor, draft=fixture.draft())
        set_at(item, path, value)
        request.items.add(actor=fixture.actor, draft=fixture.draft())
    stub = fixture.ann.chat.messages
    outcomes = (await stub.SendMessages(request, metadata=fixture.service, timeout=20)).outcomes
    assert [o.error.code for o in outcomes[::2]] == [category for *_, category in BATCH_ROWS.values()]
    assert [o.HasField("result") for o in outcomes[1::2]] == [True] * len(BATCH_ROWS)


async def test_a_bad_signal_of_a_batch_harms_no_other(fixture: Fixture) -> None:
    request = message_pb2.SendSignalsRequest()
    good = message_pb2.MarkReadRequest(conversation_id=fixture.conversation_id, seq=1)
    bad: list[dict[str, Any]] = [
        {"actor": fixture.actor},
        {"actor": fixture.actor, "read": message_pb2.MarkReadRequest(conversation_id=fixture.conversation_id, seq=0)},
        {"actor": fixture.actor, "delivered": message_pb2.MarkDeliveredRequest(seq=1)},
        {"actor": fixture.actor, "typing": message_pb2.SetTypingRequest(conversation_id="x" * 20_000)},
        {"read": good},
    ]
    for fields in bad:
        request.items.add(**fields)
        request.items.add(actor=fixture.actor, read=good)
    stub = fixture.ann.chat.messages
    outcomes = (await stub.SendSignals(request, metadata=fixture.service, timeout=20)).outcomes
    assert [o.code for o in outcomes[1::2]] == [0] * len(bad)
    assert all(Category(o.code) in (BAD, MISSING, DENIED) for o in outcomes[::2])


PAGE_ROWS = {
    "a user who is not there": ("actor.user_id", "nobody", DENIED),
    "no user": ("actor.user_id", "", DENIED),
    "a long user": ("actor.user_id", "x" * 20_000, DENIED),
    "another organization": ("actor.organization_id", "elsewhere", MISSING),
    "no conversation": ("request.conversation_id", "", BAD),
    "an unknown conversation": ("request.conversation_id", "nothing", MISSING),
    "a conversation of control characters": ("request.conversation_id", "\0\n", MISSING),
    "a negative size": ("request.page_size", -1, BAD),
    "a seq of 0": ("request.before_seq", 0, BAD),
    "a negative seq": ("request.after_seq", -1, BAD),
}


async def test_a_bad_page_of_a_batch_harms_no_other(fixture: Fixture) -> None:
    request = message_pb2.BatchListMessagesRequest()
    page = m.ListMessagesRequest(conversation_id=fixture.conversation_id)
    for path, value, _ in PAGE_ROWS.values():
        set_at(request.items.add(actor=fixture.actor, request=page), path, value)
        request.items.add(actor=fixture.actor, request=page)
    stub = fixture.ann.chat.messages
    for _ in ("from the store", "from memory"):
        outcomes = (await stub.BatchListMessages(request, metadata=fixture.service, timeout=20)).outcomes
        assert [o.error.code for o in outcomes[::2]] == [category for *_, category in PAGE_ROWS.values()]
        assert [len(o.page.messages) > 0 for o in outcomes[1::2]] == [True] * len(PAGE_ROWS)


async def test_the_id_of_a_change_is_no_message(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    change = f"{key}/1"
    for refused, reason in (
        (bob.send(key, "an answer", reply_to=change), "REPLY_NOT_FOUND"),
        (bob.edit(key, change, "other"), "MESSAGE_NOT_FOUND"),
        (bob.delete(key, change), "MESSAGE_NOT_FOUND"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await refused
        assert from_rpc_error(error.value).reason == reason
    assert (await ann.send(key, "still here")).seq == 1
    assert from_rpc_error(error.value).category is Category.NOT_FOUND
