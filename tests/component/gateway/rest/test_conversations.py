"""Conversations over HTTP."""

from __future__ import annotations

import pytest

from tests.component.gateway.rest.harness import Harness, answer_of, problem_of
from tests.component.notify.waiting import eventually
from tests.rest_shapes import check_shape


async def test_both_sides_and_every_call_get_the_same_direct_conversation(house: Harness, organization: str) -> None:
    admin, client = await house.join(organization, "admin"), await house.join(organization, "client")
    first = await admin.post("/api/chat/direct/create", {"userId": client.id})
    check_shape(first, "GetConversationResponse")
    assert first["conversation"]["kind"] == "direct"
    assert {member["userId"] for member in first["conversation"]["members"]} == {admin.id, client.id}
    assert await admin.direct(client) == await client.direct(admin) == first["conversation"]["conversationId"]


async def test_who_may_not_write_to_another_opens_nothing(house: Harness, organization: str) -> None:
    client, other = await house.join(organization, "client"), await house.join(organization, "client")
    response = await client.request("POST", "/api/chat/direct/create", json={"userId": other.id})
    assert response.status_code in {403, 404}


async def test_conversations_are_listed_with_unread_counts(house: Harness, organization: str) -> None:
    admin, client = await house.join(organization, "admin"), await house.join(organization, "client")
    conversation_id = await admin.direct(client)
    for number in range(3):
        await admin.send(conversation_id, f"message {number}")

    async def listed() -> tuple[int, str]:
        page = await client.get("/api/chat/conversations")
        check_shape(page, "ListConversationsResponse")
        (conversation,) = page["conversations"]
        return conversation["unreadCount"], conversation["lastMessage"]["text"]

    await eventually(listed, lambda seen: seen == (3, "message 2"))


async def test_direct_conversations_are_listed_by_themselves(house: Harness, organization: str) -> None:
    admin, client = await house.join(organization, "admin"), await house.join(organization, "client")
    conversation_id = await admin.direct(client)
    for path in ("/api/chat/direct", "/api/chat/conversations?kind=direct"):
        page = await admin.get(path)
        assert [one["conversationId"] for one in page["conversations"]] == [conversation_id]
    assert (await admin.get("/api/chat/conversations", kind="group"))["conversations"] == []


async def test_there_are_no_project_conversations_among_others(house: Harness, organization: str) -> None:
    admin, client = await house.join(organization, "admin"), await house.join(organization, "client")
    await admin.direct(client)
    page = await admin.get("/api/chat/project")
    check_shape(page, "ListConversationsResponse")
    assert page["conversations"] == []


async def test_a_project_has_one_conversation_which_its_reference_finds(house: Harness, organization: str) -> None:
    admin, member = await house.join(organization, "admin"), await house.join(organization, "sales")
    body = {"kind": "project", "name": "Roof", "externalRef": "P-7", "memberIds": [member.id]}
    made = await admin.request("POST", "/api/chat/conversations", json=body)
    assert made.status_code == 201
    conversation_id = made.json()["conversation"]["conversationId"]
    assert made.headers["location"] == f"/api/chat/conversations/{conversation_id}"
    again = await admin.post("/api/chat/conversations", body | {"name": "Another name"})
    assert again["conversation"]["conversationId"] == conversation_id
    group = await admin.post("/api/chat/conversations", {"kind": "group", "name": "Lunch", "memberIds": []})

    async def ids(path: str, **query: str) -> set[str]:
        answer = await member.get(path, **query)
        return {one.get("conversationId", one.get("id")) for one in answer["conversations"]}

    assert await ids("/api/chat/conversations", externalRef="P-7") == {conversation_id}
    assert await ids("/api/chat/project") == {conversation_id}
    shown = await admin.get("/api/chat/project", dialect="projects")
    assert len(shown["conversations"]) == 2, group


@pytest.mark.parametrize("repeats", [1, 5])
async def test_a_change_with_an_idempotency_key_happens_once(house: Harness, organization: str, repeats: int) -> None:
    admin = await house.join(organization, "admin")
    body, headers = {"kind": "group", "name": "Lunch", "memberIds": []}, {"Idempotency-Key": "make-lunch"}
    answers = [
        answer_of(await admin.request("POST", "/api/chat/conversations", json=body, headers=headers))
        for _ in range(1 + repeats)
    ]
    assert len({answer["conversation"]["conversationId"] for answer in answers}) == 1
    other = answer_of(
        await admin.request("POST", "/api/chat/conversations", json=body, headers={"Idempotency-Key": "b"})
    )
    assert other["conversation"]["conversationId"] != answers[0]["conversation"]["conversationId"]
    bad = await admin.request("POST", "/api/chat/conversations", json=body, headers={"Idempotency-Key": "x" * 65})
    assert problem_of(bad) == (400, "INVALID_ARGUMENT", "INVALID_FIELDS")


async def test_a_listing_comes_in_pages(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    made = {await admin.direct(await house.join(organization, "client")) for _ in range(3)}
    first = await admin.get("/api/chat/conversations", pageSize=2)
    rest = await admin.get("/api/chat/conversations", pageSize=2, pageToken=first["nextPageToken"])
    assert {one["conversationId"] for one in first["conversations"] + rest["conversations"]} == made
    assert rest["nextPageToken"] == ""


async def test_archived_and_recent_ones_can_be_asked_for(house: Harness, organization: str) -> None:
    admin, client = await house.join(organization, "admin"), await house.join(organization, "client")
    conversation_id = await admin.direct(client)

    async def ids(**query: str) -> list[str]:
        page = await admin.get("/api/chat/conversations", **query)
        return [one["conversationId"] for one in page["conversations"]]

    assert await ids(archived="false") == [conversation_id]
    assert await ids(archived="true") == []
    assert await ids(updatedAfter="2001-01-01T00:00:00Z") == [conversation_id]
    assert await ids(updatedAfter="2101-01-01T00:00:00+02:00") == []


async def test_one_conversation_is_read(house: Harness, organization: str) -> None:
    admin, client = await house.join(organization, "admin"), await house.join(organization, "client")
    conversation_id = await admin.direct(client)
    answer = await client.get(f"/api/chat/conversations/{conversation_id}")
    check_shape(answer, "GetConversationResponse")
    assert answer["conversation"]["conversationId"] == conversation_id


async def test_strangers_get_nothing_of_it(house: Harness, organization: str) -> None:
    admin, client = await house.join(organization, "admin"), await house.join(organization, "client")
    conversation_id = await admin.direct(client)
    colleague = await house.join(organization, "manager")
    await house.auth.create_organization(f"{organization}-2")
    stranger = await house.join(f"{organization}-2", "admin")
    requests = [
        ("GET", f"/api/chat/conversations/{conversation_id}", None),
        ("GET", f"/api/chat/conversations/{conversation_id}/messages", None),
        ("GET", f"/api/chat/messages/{conversation_id}?page=2", None),
        ("POST", f"/api/chat/conversations/{conversation_id}/read", None),
        ("POST", "/api/chat/mark-read", {"conversationId": conversation_id}),
        ("POST", "/api/chat/send", {"conversationId": conversation_id, "content": "hello"}),
    ]
    for method, path, body in requests:
        response = await colleague.request(method, path, json=body)
        assert problem_of(response) == (403, "PERMISSION_DENIED", "NOT_A_MEMBER"), path
        theirs = await stranger.request(method, path, json=body)
        assert problem_of(theirs) == (404, "NOT_FOUND", "CONVERSATION_NOT_FOUND"), path


async def test_everything_is_marked_as_read_by_either_path(house: Harness, organization: str) -> None:
    admin, client = await house.join(organization, "admin"), await house.join(organization, "client")
    conversation_id = await admin.direct(client)

    async def unread() -> int:
        answer = await client.get(f"/api/chat/conversations/{conversation_id}")
        count: int = answer["conversation"]["unreadCount"]
        return count

    for path, body in (
        (f"/api/chat/conversations/{conversation_id}/read", None),
        ("/api/chat/mark-read", {"conversationId": conversation_id}),
    ):
        await admin.send(conversation_id, "news")
        assert await unread() == 1
        assert await client.post(path, body) == {}
        await eventually(unread, lambda count: count == 0)
