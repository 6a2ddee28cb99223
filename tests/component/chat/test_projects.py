"""Tests of projects: one for each external_ref of an organization, and how they are found by it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from typing import Any

import grpc
import pytest
from parley.chat.v1 import chat_pb2, conversation_pb2

from chassis.rpc.status import from_rpc_error
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import TIMEOUT, Person, RunningChat

OWNER, ADMIN, MEMBER = chat_pb2.MEMBER_ROLE_OWNER, chat_pb2.MEMBER_ROLE_ADMIN, chat_pb2.MEMBER_ROLE_MEMBER
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
    return chat.as_user(await auth.sign_in_new(organization_id, "lead"))


@pytest.fixture
async def dan(auth: RunningAuth, chat: RunningChat, organization_id: str, ann: Person) -> Person:
    """Another lead."""
    return chat.as_user(await auth.sign_in_new(organization_id, "lead"))


async def reason(call: Awaitable[object]) -> str:
    """Returns the reason of a call's refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return from_rpc_error(failed.value).reason


def roles(project: chat_pb2.Conversation) -> dict[str, chat_pb2.MemberRole.ValueType]:
    """Returns the roles of the members by user id."""
    return {member.user_id: member.role for member in project.members}


async def test_members_who_create_a_project_again_get_the_one_that_exists(ann: Person, bob: Person, ref: str) -> None:
    project = await create(ann, ref, bob)
    assert (project.kind, project.external_ref, project.name) == (PROJECT, ref, "Launch")
    assert roles(project) == {ann.user_id: OWNER, bob.user_id: MEMBER}
    again = await create(bob, ref, name="Another name")  # whose role may create none
    assert (again.conversation_id, again.name, again.rev) == (project.conversation_id, "Launch", project.rev)


async def test_a_project_is_not_shown_to_others_who_create_it(ann: Person, cat: Person, ref: str) -> None:
    project = await create(ann, ref)
    assert await reason(create(cat, ref)) == "NOT_A_MEMBER"
    await ann.add(project.conversation_id, cat.user_id)
    assert (await create(cat, ref)).conversation_id == project.conversation_id


async def test_a_role_that_may_create_no_groups_creates_no_projects(ann: Person, bob: Person, ref: str) -> None:
    assert await reason(create(bob, ref, ann)) == "GROUP_CREATION_NOT_ALLOWED"
    assert await found(ann, external_ref=ref) == []


async def test_who_may_not_create_a_project_does_not_learn_whether_it_exists(
    ann: Person, bob: Person, cat: Person, ref: str
) -> None:
    for _ in range(2):
        assert await reason(create(bob, ref)) == "GROUP_CREATION_NOT_ALLOWED"
        assert await reason(create(cat, ref, bob)) == "CONTACT_NOT_ALLOWED"  # of another team
        await create(ann, ref)


async def test_a_manager_who_creates_a_project_again_becomes_an_admin_of_it(
    ann: Person, bob: Person, cat: Person, ref: str
) -> None:
    project = await create(cat, ref)
    await cat.send(project.conversation_id, "before")
    entered = await create(ann, ref, bob, request_id="key")
    assert (entered.conversation_id, entered.unread_count) == (project.conversation_id, 0)
    assert roles(entered) == {cat.user_id: OWNER, ann.user_id: ADMIN}
    await cat.remove(project.conversation_id, ann.user_id)
    await create(ann, ref, bob, request_id="key")
    assert roles(await cat.conversation(project.conversation_id)) == {cat.user_id: OWNER}


async def test_a_repeat_of_a_members_creation_does_not_undo_a_departure(ann: Person, bob: Person, ref: str) -> None:
    project = await create(ann, ref, bob)
    await create(ann, ref, request_id="key")
    await ann.remove(project.conversation_id, ann.user_id)
    await create(ann, ref, request_id="key")
    assert roles(await bob.conversation(project.conversation_id)) == {bob.user_id: OWNER}


async def test_a_project_that_everyone_left_passes_to_who_creates_it_again(
    ann: Person, bob: Person, cat: Person, ref: str
) -> None:
    project = await create(ann, ref)
    await ann.send(project.conversation_id, "before")
    await ann.remove(project.conversation_id, ann.user_id)
    assert await reason(create(bob, ref)) == "GROUP_CREATION_NOT_ALLOWED"
    again = await create(cat, ref, ann, request_id="key")
    assert (again.conversation_id, again.name) == (project.conversation_id, "Launch")
    assert (again.seq, again.unread_count, again.rev) == (1, 0, project.rev + 3)
    assert roles(again) == {cat.user_id: OWNER, ann.user_id: MEMBER}
    assert await create(cat, ref, ann, request_id="key") == again
    assert [message.text for message in (await cat.history(project.conversation_id)).messages] == ["before"]


async def test_of_two_who_take_a_project_that_everyone_left_one_becomes_its_owner(
    ann: Person, cat: Person, dan: Person, ref: str
) -> None:
    project = await create(ann, ref)
    await ann.remove(project.conversation_id, ann.user_id)
    outcomes = await asyncio.gather(*(create(one, ref) for one in (cat, dan) * 5), return_exceptions=True)
    entered = [outcome for outcome in outcomes if isinstance(outcome, chat_pb2.Conversation)]
    assert len(entered) == 5
    owner = cat if roles(entered[0]) == {cat.user_id: OWNER} else dan
    assert all(roles(outcome) == {owner.user_id: OWNER} for outcome in entered)
    assert {from_rpc_error(o).reason for o in outcomes if isinstance(o, grpc.aio.AioRpcError)} == {"NOT_A_MEMBER"}


async def test_a_manager_enters_the_project_that_someone_else_creates_at_once(
    ann: Person, cat: Person, ref: str
) -> None:
    await asyncio.gather(*(create(person, ref) for person in (cat, cat, ann, ann)), return_exceptions=True)
    project = await create(ann, ref)
    assert roles(project).get(ann.user_id) in {OWNER, ADMIN}
    assert list(roles(project).values()).count(OWNER) == 1


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
    ann: Person, cat: Person, ref: str
) -> None:
    project = await create(cat, ref, ann, request_id="key")
    await cat.remove(project.conversation_id, cat.user_id)
    assert (await create(cat, ref, ann, request_id="key")).conversation_id == project.conversation_id
    assert await reason(create(cat, ref, ann, request_id="another key")) == "NOT_A_MEMBER"
