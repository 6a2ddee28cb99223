"""Tests of drafts through chat's gRPC server."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from parley.chat.v1 import event_pb2
from parley.stream.v1.stream_pb2 import Attachments, UserKey

from chassis.rpc.status import from_rpc_error
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import Person, RunningChat


async def texts_of(person: Person) -> dict[str, str]:
    return {draft.conversation_id: draft.text for draft in await person.drafts()}


async def test_a_draft_is_there_until_it_is_removed(ann: Person, bob: Person) -> None:
    one = (await ann.direct(bob.user_id)).conversation_id
    two = (await ann.create_group("Launch", bob.user_id)).conversation_id
    await ann.set_draft(one, "Dear", reply_to="m")
    await ann.set_draft(two, "All")
    await ann.set_draft(one, "Dear Bob", reply_to="m")
    listed = await ann.drafts()
    assert [(d.conversation_id, d.text, d.reply_to) for d in listed] == [(one, "Dear Bob", "m"), (two, "All", "")]
    assert await bob.drafts() == []
    await ann.set_draft(one, "")
    assert await texts_of(ann) == {two: "All"}
    await ann.set_draft(one, "again")
    assert await texts_of(ann) == {one: "again", two: "All"}


async def test_a_late_repeat_brings_no_older_draft_back(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    await ann.set_draft(key, "old", request_id="1")
    await ann.set_draft(key, "new", request_id="2")
    await ann.set_draft(key, "old", request_id="1")
    assert await texts_of(ann) == {key: "new"}
    await ann.set_draft(key, "", request_id="3")
    await ann.set_draft(key, "new", request_id="2")
    assert await texts_of(ann) == {}


async def test_drafts_at_once_leave_one(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    await asyncio.gather(*(ann.set_draft(key, f"text {n}", request_id=f"{n}") for n in range(20)))
    (draft,) = await ann.drafts()
    assert draft.text in {f"text {n}" for n in range(20)}


async def test_drafts_of_a_conversation_that_one_has_left_are_not_listed(ann: Person, bob: Person) -> None:
    key = (await ann.create_group("Launch", bob.user_id)).conversation_id
    await bob.set_draft(key, "Dear")
    await ann.remove(key, bob.user_id)
    assert await bob.drafts() == []
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await bob.set_draft(key, "Dear Ann")
    assert from_rpc_error(refused.value).reason == "NOT_A_MEMBER"


async def test_only_the_users_own_devices_get_the_event(
    ann: Person, bob: Person, auth: RunningAuth, chat: RunningChat, organization_id: str
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    call = chat.events.Subscribe(metadata=await auth.service_metadata())
    add = [UserKey(organization_id=organization_id, user_id=person.user_id) for person in (ann, bob)]
    await call.write(event_pb2.SubscribeRequest(attachments=Attachments(add=add, request_sequence=1)))
    found: list[event_pb2.Event] = []
    try:
        async for response in call:
            if response.acked_sequence:
                await ann.set_draft(key, "Dear Bob")
                await ann.set_draft(key, "")
            found += [event for event in response.events if event.HasField("draft_updated")]
            if len(found) == 2:
                break
    finally:
        call.cancel()
    assert [(list(event.recipients), event.draft_updated.draft.text) for event in found] == [
        ([ann.user_id], "Dear Bob"),
        ([ann.user_id], ""),
    ]
