"""Conversations over HTTP."""

from __future__ import annotations

from tests.component.gateway.rest.harness import Harness, problem_of
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
