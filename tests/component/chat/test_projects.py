"""Tests of projects: one for each external_ref of an organization, and how they are found by it."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import grpc
import pytest
from parley.chat.v1 import chat_pb2, conversation_pb2

from tests.component.auth_service import RunningAuth
from tests.component.chat.running import TIMEOUT, Person, RunningChat

GROUP, PROJECT = chat_pb2.CONVERSATION_KIND_GROUP, chat_pb2.CONVERSATION_KIND_PROJECT


@pytest.fixture
def ref() -> str:
    return f"project {secrets.token_hex(4)}"


async def create(person: Person, ref: str, *members: Person, **fields: Any) -> chat_pb2.Conversation:
    """Creates a project, or with another kind a group."""
    values: dict[str, Any] = {"kind": PROJECT, "name": "Launch"} | fields
    member_ids = [member.user_id for member in members]
    request = conversation_pb2.CreateConversationRequest(external_ref=ref, member_ids=member_ids, **values)
    stub = person.chat.conversations
    return (await stub.CreateConversation(request, metadata=person.metadata, timeout=TIMEOUT)).conversation


async def found(person: Person, **filters: Any) -> list[str]:
    """Returns the ids of the user's conversations that match."""
    return [conversation.conversation_id for conversation in (await person.list(**filters)).conversations]


@pytest.fixture
async def cat(auth: RunningAuth, chat: RunningChat, organization_id: str, ann: Person) -> Person:
    """A lead of the same organization, whose role may create groups."""
    return chat.as_user(await auth.sign_in_new(organization_id, "manager"))


async def test_members_who_create_a_project_again_get_the_one_that_exists(ann: Person, bob: Person, ref: str) -> None:
    project = await create(ann, ref, bob)
    assert (project.kind, project.external_ref, project.name) == (PROJECT, ref, "Launch")
    assert {member.user_id: member.role for member in project.members} == {
        ann.user_id: chat_pb2.MEMBER_ROLE_OWNER,
        bob.user_id: chat_pb2.MEMBER_ROLE_MEMBER,
    }
    again = await create(bob, ref, name="Another name")  # whose role may create none
    assert (again.conversation_id, again.name, again.rev) == (project.conversation_id, "Launch", project.rev)


async def test_a_project_is_not_shown_to_others_who_create_it(ann: Person, cat: Person, ref: str) -> None:
    project = await create(ann, ref)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await create(cat, ref)
    assert failed.value.code() is grpc.StatusCode.PERMISSION_DENIED
    await ann.add(project.conversation_id, cat.user_id)
    assert (await create(cat, ref)).conversation_id == project.conversation_id


async def test_a_role_that_may_create_no_groups_creates_no_projects(ann: Person, bob: Person, ref: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await create(bob, ref, ann)
    assert failed.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert await found(ann, external_ref=ref) == []


async def test_creations_at_once_are_one_project_with_one_owner(ann: Person, cat: Person, ref: str) -> None:
    projects = await asyncio.gather(*(create(one, ref, other) for one, other in [(ann, cat), (cat, ann)] * 5))
    assert len({project.conversation_id for project in projects}) == 1
    project = await ann.conversation(projects[0].conversation_id)
    assert (project.rev, project.member_count) == (1, 2)
    assert [member.role for member in project.members].count(chat_pb2.MEMBER_ROLE_OWNER) == 1


async def test_projects_of_two_organizations_have_nothing_in_common(
    auth: RunningAuth, chat: RunningChat, ann: Person, organization_id: str, ref: str
) -> None:
    foreign = f"{organization_id}-2"
    await auth.create_organization(foreign)
    stranger = chat.as_user(await auth.sign_in_new(foreign, "manager"))
    assert (await create(ann, ref)).conversation_id != (await create(stranger, ref)).conversation_id


async def test_conversations_are_found_by_their_reference(ann: Person, bob: Person, ref: str) -> None:
    project = await create(ann, ref, bob)
    groups = [await create(ann, ref, bob, kind=GROUP) for _ in range(2)]
    await create(ann, f"{ref} 2", bob)
    await ann.send(project.conversation_id, "hello")
    everything = {project.conversation_id, *(group.conversation_id for group in groups)}
    for _ in range(2):
        assert set(await found(bob, external_ref=ref)) == everything
        assert await found(bob, external_ref=ref, kind=PROJECT) == [project.conversation_id]
        assert project.conversation_id not in await found(bob, external_ref=ref, kind=GROUP)
        assert await found(bob, external_ref="no such reference") == []
        await asyncio.sleep(1)  # by then the summaries are written
    first = await bob.list(external_ref=ref, page_size=2)
    second = await bob.list(external_ref=ref, page_size=2, page_token=first.next_page_token)
    assert {c.conversation_id for page in (first, second) for c in page.conversations} == everything


async def test_members_of_a_project_change_as_in_a_group(ann: Person, bob: Person, cat: Person, ref: str) -> None:
    key = (await create(ann, ref, bob)).conversation_id
    await ann.add(key, cat.user_id)
    await ann.set_role(key, cat.user_id, chat_pb2.MEMBER_ROLE_ADMIN)
    await cat.remove(key, bob.user_id)
    await ann.remove(key, ann.user_id)
    (owner,) = (await cat.conversation(key)).members
    assert (owner.user_id, owner.role) == (cat.user_id, chat_pb2.MEMBER_ROLE_OWNER)


async def test_a_project_that_its_creator_left_is_still_the_outcome_of_the_request(
    ann: Person, bob: Person, ref: str
) -> None:
    project = await create(ann, ref, bob, request_id="key")
    await ann.remove(project.conversation_id, ann.user_id)
    assert (await create(ann, ref, bob, request_id="key")).conversation_id == project.conversation_id
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await create(ann, ref, bob, request_id="another key")
    assert failed.value.code() is grpc.StatusCode.PERMISSION_DENIED
