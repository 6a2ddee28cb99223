"""Tests that a service limited to one organization can neither act in another one nor receive its events."""

from __future__ import annotations

import grpc
import pytest
from google.rpc.status_pb2 import Status
from parley.chat.v1 import event_pb2, message_pb2
from parley.stream.v1.stream_pb2 import Attachments, UserKey

from chassis.errors import Category
from chassis.rpc.status import from_rpc_error, from_status
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import TIMEOUT, Person, RunningChat


def denied(status: Status) -> bool:
    """Returns whether an outcome is ORGANIZATION_NOT_ALLOWED."""
    if not status.code:
        return False
    error = from_status(status)
    return (error.category, error.reason) == (Category.PERMISSION_DENIED, "ORGANIZATION_NOT_ALLOWED")


async def test_a_batch_of_messages_sends_those_of_the_own_organization_alone(
    auth: RunningAuth, chat: RunningChat, ann: Person, bob: Person, organization_id: str
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    foreign = f"{organization_id}-2"
    await auth.create_organization(foreign)
    for caller, sent in ((organization_id, True), (foreign, False)):
        request = message_pb2.SendMessagesRequest()
        for number, organization in enumerate((organization_id, foreign, organization_id, "")):
            item = request.items.add()
            item.actor.organization_id, item.actor.user_id = organization, ann.user_id
            item.draft.conversation_id, item.draft.text = key, f"as {caller}"
            item.draft.client_message_id = f"{caller} {number}"
        metadata = await auth.service_metadata(caller)
        outcomes = (await chat.messages.SendMessages(request, metadata=metadata, timeout=TIMEOUT)).outcomes
        assert [outcome.HasField("result") for outcome in outcomes] == [sent, False, sent, False]
        refused = [denied(outcome.error) for outcome in outcomes]
        assert refused == [not sent, sent, not sent, True]
    assert [m.text for m in (await bob.history(key)).messages] == [f"as {organization_id}"] * 2


async def test_a_batch_of_signals_marks_those_of_the_own_organization_alone(
    auth: RunningAuth, chat: RunningChat, ann: Person, bob: Person, organization_id: str
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    await ann.send(key, "one")
    await ann.send(key, "two")
    foreign = f"{organization_id}-2"
    await auth.create_organization(foreign)
    for caller, seq, expected in ((foreign, 2, 0), (organization_id, 1, 1)):
        request = message_pb2.SendSignalsRequest()
        item = request.items.add()
        item.actor.organization_id, item.actor.user_id = organization_id, bob.user_id
        item.read.conversation_id, item.read.seq = key, seq
        typing = request.items.add()
        typing.actor.CopyFrom(item.actor)
        typing.typing.conversation_id, typing.typing.active = key, True
        metadata = await auth.service_metadata(caller)
        outcomes = (await chat.messages.SendSignals(request, metadata=metadata, timeout=TIMEOUT)).outcomes
        assert [denied(outcome) for outcome in outcomes] == [caller == foreign] * 2
        assert (await bob.conversation(key)).read_seq == expected


async def test_a_batch_of_pages_reads_those_of_the_own_organization_alone(
    auth: RunningAuth, chat: RunningChat, ann: Person, bob: Person, organization_id: str
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    await ann.send(key, "secret")
    foreign = f"{organization_id}-2"
    await auth.create_organization(foreign)
    page = message_pb2.ListMessagesRequest(conversation_id=key)
    for caller, read in ((organization_id, True), (foreign, False)):
        request = message_pb2.BatchListMessagesRequest()
        for organization in (organization_id, foreign, organization_id, ""):
            request.items.add(request=page).actor.organization_id = organization
            request.items[-1].actor.user_id = ann.user_id
        metadata = await auth.service_metadata(caller)
        outcomes = (await chat.messages.BatchListMessages(request, metadata=metadata, timeout=TIMEOUT)).outcomes
        assert [len(outcome.page.messages) for outcome in outcomes] == [read, 0, read, 0]
        refused = [denied(outcome.error) for outcome in outcomes]
        assert refused == [not read, read, not read, True]


@pytest.mark.parametrize("later", [False, True], ids=["first request", "later request"])
@pytest.mark.parametrize("field", ["add", "remove"])
async def test_a_stream_ends_that_asks_for_users_of_another_organization(
    auth: RunningAuth, chat: RunningChat, organization_id: str, later: bool, field: str
) -> None:
    call = chat.events.Subscribe(metadata=await auth.service_metadata(organization_id), timeout=TIMEOUT)
    if later:
        own = Attachments(add=[UserKey(organization_id=organization_id, user_id="ann")], request_sequence=1)
        await call.write(event_pb2.SubscribeRequest(attachments=own))
        first = await call.read()
        assert isinstance(first, event_pb2.SubscribeResponse)
        assert first.acked_sequence == 1
    request = event_pb2.SubscribeRequest()
    getattr(request.attachments, field).add(organization_id=f"{organization_id}-2", user_id="ann")
    await call.write(request)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        while await call.read() is not grpc.aio.EOF:
            pass
    error = from_rpc_error(refused.value)
    assert (error.category, error.reason) == (Category.PERMISSION_DENIED, "ORGANIZATION_NOT_ALLOWED")
