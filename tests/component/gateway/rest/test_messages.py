"""Reading and sending messages over HTTP."""

from __future__ import annotations

import asyncio

import pytest

from gateway.rest.messages import HISTORY, SENT
from tests.component.gateway.rest.harness import Harness, Person, problem_of
from tests.rest_shapes import check_shape


@pytest.fixture
async def pair(house: Harness, organization: str) -> tuple[Person, Person, str]:
    """Two who talk, and their conversation."""
    admin, client = await house.join(organization, "admin"), await house.join(organization, "client")
    return admin, client, await admin.direct(client)


async def test_what_one_sends_the_other_reads(pair: tuple[Person, Person, str]) -> None:
    admin, client, conversation_id = pair
    sent = await admin.send(conversation_id, "Grüße 👋", clientMessageId="k-1")
    check_shape(sent, SENT)
    assert (sent["seq"], sent["clientMessageId"]) == (1, "k-1")
    history = await client.get(f"/api/chat/conversations/{conversation_id}/messages")
    check_shape(history, HISTORY)
    (message,) = history["messages"]
    assert (message["text"], message["senderId"], message["kind"]) == ("Grüße 👋", admin.id, "text")
    assert (message["messageId"], message["createTime"]) == (sent["messageId"], sent["createTime"])
    assert (history["hasMore"], history["page"]) == (False, 1)


async def test_both_paths_of_the_history_answer_the_same(pair: tuple[Person, Person, str]) -> None:
    admin, _, conversation_id = pair
    await admin.send(conversation_id, "hello")
    paths = (f"/api/chat/conversations/{conversation_id}/messages", f"/api/chat/messages/{conversation_id}")
    first, second = [await admin.get(path) for path in paths]
    assert first == second


async def test_a_repeat_with_the_same_id_is_sent_once(pair: tuple[Person, Person, str]) -> None:
    admin, client, conversation_id = pair
    first = await admin.send(conversation_id, "once", clientMessageId="k")
    again = await asyncio.gather(*(admin.send(conversation_id, "once", clientMessageId="k") for _ in range(5)))
    assert again == [first] * 5
    assert len((await client.get(f"/api/chat/messages/{conversation_id}"))["messages"]) == 1


async def test_the_idempotency_key_stands_in_for_the_id(pair: tuple[Person, Person, str]) -> None:
    admin, _, conversation_id = pair
    body = {"conversationId": conversation_id, "content": "once"}
    answers = [
        (await admin.request("POST", "/api/chat/send", json=body, headers={"idempotency-key": "k-7"})).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0]["clientMessageId"] == "k-7"
    chosen = await admin.request(
        "POST", "/api/chat/send", json=body | {"clientMessageId": "k-8"}, headers={"idempotency-key": "k-7"}
    )
    assert chosen.json()["clientMessageId"] == "k-8"


@pytest.mark.parametrize("key", ["", "x" * 65, "a b", "tab\there"])
async def test_a_bad_idempotency_key_is_refused(pair: tuple[Person, Person, str], key: str) -> None:
    admin, _, conversation_id = pair
    body = {"conversationId": conversation_id, "content": "hello"}
    response = await admin.request("POST", "/api/chat/send", json=body, headers={"idempotency-key": key})
    assert problem_of(response) == (400, "INVALID_ARGUMENT", "INVALID_FIELDS")
    assert set(response.json()["error"]["fields"]) == {"Idempotency-Key"}


async def test_without_any_key_each_is_a_message_of_its_own(pair: tuple[Person, Person, str]) -> None:
    admin, _, conversation_id = pair
    seqs = [(await admin.send(conversation_id, "again"))["seq"] for _ in range(2)]
    assert seqs == [1, 2]


async def test_kinds_and_what_goes_with_them_arrive(pair: tuple[Person, Person, str]) -> None:
    admin, client, conversation_id = pair
    first = await admin.send(conversation_id, "look")
    attachment = {"url": "https://crm.example/a.png", "name": "a.png", "contentType": "image/png", "sizeBytes": 7}
    await client.send(
        conversation_id, "", type="image", attachments=[attachment], replyTo=first["messageId"], mentions=[admin.id]
    )
    message = (await admin.get(f"/api/chat/messages/{conversation_id}"))["messages"][1]
    assert message["kind"] == "image"
    assert message["attachments"] == [attachment]
    assert (message["replyTo"], message["mentions"]) == (first["messageId"], [admin.id])


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"content": ""}, "content"),
        ({"content": "  \n"}, "content"),
        ({"content": "é" * 8_193}, "content"),
        ({"content": "x" * 16_385}, "content"),
        ({"content": None}, "content"),
        ({"content": 7}, "content"),
        ({"type": "system"}, "type"),
        ({"type": "song"}, "type"),
        ({"clientMessageId": ""}, "clientMessageId"),
        ({"clientMessageId": "x" * 65}, "clientMessageId"),
        ({"attachments": [{"url": "ftp://x.example"}]}, "attachments"),
        ({"attachments": [{}]}, "attachments[0].url"),
        ({"attachments": [{"url": "https://x.example"}] * 21}, "attachments"),
        ({"mentions": ["a b"]}, "mentions"),
        ({"mentions": ["a"] * 51}, "mentions"),
        ({"conversationId": ""}, "conversationId"),
        ({"conversationId": "x" * 65}, "conversationId"),
    ],
)
async def test_the_errors_of_a_bad_message_name_the_fields_of_this_interface(
    pair: tuple[Person, Person, str], fields: dict[str, object], bad: str
) -> None:
    admin, _, conversation_id = pair
    body = {"conversationId": conversation_id, "content": "hello"} | fields
    response = await admin.request("POST", "/api/chat/send", json=body)
    assert problem_of(response) == (400, "INVALID_ARGUMENT", "INVALID_FIELDS")
    assert set(response.json()["error"]["fields"]) == {bad}
    assert (await admin.get(f"/api/chat/messages/{conversation_id}"))["messages"] == []


async def seqs(person: Person, conversation_id: str, **query: int) -> tuple[list[int], bool]:
    history = await person.get(f"/api/chat/messages/{conversation_id}", **query)
    return [message["seq"] for message in history["messages"]], history["hasMore"]


async def test_pages_are_numbered_from_the_newest(pair: tuple[Person, Person, str]) -> None:
    admin, client, conversation_id = pair
    for number in range(7):
        await admin.send(conversation_id, f"message {number}")
    assert await seqs(client, conversation_id, page=1, limit=3) == ([5, 6, 7], True)
    assert await seqs(client, conversation_id, page=2, limit=3) == ([2, 3, 4], True)
    assert await seqs(client, conversation_id, page=3, limit=3) == ([1], False)
    assert await seqs(client, conversation_id, page=4, limit=3) == ([], False)
    assert await seqs(client, conversation_id, page=1_000_000, limit=200) == ([], False)
    assert await seqs(client, conversation_id, page=1, limit=7) == ([1, 2, 3, 4, 5, 6, 7], False)


async def test_what_lies_before_a_seq_is_read(pair: tuple[Person, Person, str]) -> None:
    admin, _, conversation_id = pair
    for number in range(5):
        await admin.send(conversation_id, f"message {number}")
    assert await seqs(admin, conversation_id, beforeSeq=5, limit=2) == ([3, 4], True)
    assert await seqs(admin, conversation_id, beforeSeq=3, limit=2) == ([1, 2], False)
    assert await seqs(admin, conversation_id, beforeSeq=1, limit=2) == ([], False)
    assert await seqs(admin, conversation_id, beforeSeq=10**15, limit=2) == ([4, 5], True)


async def test_pages_of_an_empty_conversation_are_empty(pair: tuple[Person, Person, str]) -> None:
    admin, _, conversation_id = pair
    for page in (1, 2):
        assert await seqs(admin, conversation_id, page=page) == ([], False)


@pytest.mark.parametrize(
    ("query", "bad"),
    [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=two", "page"),
        ("page=1.5", "page"),
        ("page=1&page=2", "page"),
        ("page=99999999999999999999", "page"),
        ("page=1&beforeSeq=3", "page"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("beforeSeq=0", "beforeSeq"),
        ("beforeSeq=-5", "beforeSeq"),
        ("beforeSeq=99999999999999999999", "beforeSeq"),
    ],
)
async def test_a_bad_place_in_the_history_is_refused(pair: tuple[Person, Person, str], query: str, bad: str) -> None:
    admin, _, conversation_id = pair
    response = await admin.request("GET", f"/api/chat/messages/{conversation_id}?{query}")
    assert problem_of(response) == (400, "INVALID_ARGUMENT", "INVALID_FIELDS")
    assert set(response.json()["error"]["fields"]) == {bad}


async def test_reactions_come_and_go(pair: tuple[Person, Person, str]) -> None:
    admin, client, conversation_id = pair
    sent = await admin.send(conversation_id, "hello")
    path = f"/api/chat/conversations/{conversation_id}/messages/{sent['messageId']}/reactions"
    added = await client.request("POST", path, json={"emoji": "👍"})
    assert (added.status_code, added.json()["message"]["reactions"]) == (200, {"👍": [client.id]})
    bad = await client.request("POST", path, json={"emoji": "thumbs up"})
    assert (bad.status_code, bad.json()["error"]["fields"]) == (400, {"emoji": "must be one emoji of Unicode's list"})
    removed = await client.request("DELETE", f"{path}/%F0%9F%91%8D")
    assert (removed.status_code, "reactions" in removed.json()["message"]) == (200, False)
