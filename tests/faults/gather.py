"""Reads the final state: the store itself, and every conversation as a fresh client of each member."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from parley_client.client import Client
from parley_client.contract import Conversation, Message
from parley_client.options import Options
from pymongo import ASCENDING, AsyncMongoClient

from tests.faults.check_views import states_of
from tests.faults.device import state_of
from tests.faults.history import Entry, History, MemberChange, NotificationSeen, Reading, Stored, digest
from tests.faults.population import PASSWORD, User

_PAGE: Final = 200
_READERS: Final = 6
_OPTIONS: Final = Options(track_state=False, request_deadline_seconds=60.0)


async def read_store(uri: str, history: History) -> None:
    """Reads every conversation's log and members from chat's database, without Parley's code."""
    async with AsyncMongoClient[dict[str, Any]](uri, tz_aware=True) as client:
        database = client["parley_chat"]
        history.stored.clear()
        async for document in database["conversations"].find({}, {"o": 1}):
            history.stored[history.conversations.number(document["_id"])] = Stored(document["o"])
        async for document in database["members"].find():
            stored = history.stored[history.conversations.number(document["c"])]
            stored.read_seqs[document["u"]] = document["read"]
        messages: dict[int, list[tuple[Entry, tuple[str, str]]]] = {number: [] for number in history.stored}
        async for document in database["log"].find().sort([("c", ASCENDING), ("r", ASCENDING)]):
            number = history.conversations.number(document["c"])
            history.stored[number].revs.append(document["r"])
            if "e" not in document:
                messages[number].append((_entry(history, document), (document["u"], document["k"])))
            elif "add" in document or "rem" in document:
                history.stored[number].changes.append(_change(document))
    for number, entries in messages.items():
        for entry, posted in sorted(entries, key=lambda pair: pair[0].seq):
            history.stored[number].messages.add(entry)
            history.stored[number].posted.append(posted)


def _entry(history: History, document: dict[str, Any]) -> Entry:
    return Entry(
        history.messages.number(document["_id"]),
        document["s"],
        document["r"],
        document["v"],
        digest(document["x"]),
        round(document["at"].timestamp() * 1000),
        int("deleted" in document),
    )


def _change(document: dict[str, Any]) -> MemberChange:
    removed = frozenset(row[0] for row in document.get("rem", ()))
    return MemberChange(document["r"], document["h"], frozenset(document.get("add", ())), removed)


async def read_as_members(url: str, users: Iterable[User], history: History) -> None:
    """Reads all conversations as a new client of each user."""
    history.readings.clear()
    limit = asyncio.Semaphore(_READERS)

    async def read(user: User) -> None:
        async with limit, Client.sign_in(url, user.email, PASSWORD, _OPTIONS) as client:
            async for conversation in listed(client):
                number = history.conversations.number(conversation.conversation_id)
                history.readings[number, user.key] = await _reading(client, conversation, history)

    await asyncio.gather(*(read(user) for user in users))


async def read_notifications(url: str, users: Iterable[User], history: History) -> None:
    """Reads all users' notifications as a new client of each."""
    history.notifications.clear()
    limit = asyncio.Semaphore(_READERS)

    async def read(user: User) -> None:
        async with limit, Client.sign_in(url, user.email, PASSWORD, _OPTIONS) as client:
            history.notifications[user.key] = await _notifications(client, history)

    await asyncio.gather(*(read(user) for user in users))


async def listed(client: Client) -> AsyncIterator[Conversation]:
    """Yields all conversations of the client's user."""
    token = ""
    while True:
        page = await client.conversation_list(page_size=_PAGE, page_token=token or None)
        for conversation in page.conversations:
            yield conversation
        token = page.next_page_token
        if not token:
            return


async def _reading(client: Client, conversation: Conversation, history: History) -> Reading:
    conversation_id = conversation.conversation_id
    synced = [message async for message in _synced(client, conversation_id)]
    listed_messages = [message async for message in _history(client, conversation_id)]
    latest = (await client.conversation_get(conversation_id=conversation_id)).conversation
    return Reading(
        states_of(state_of(history, message) for message in synced),
        states_of(state_of(history, message) for message in listed_messages),
        latest.seq,
        latest.rev,
        latest.read_seq,
        latest.unread_count,
        frozenset(member.user_id for member in latest.members),
    )


async def _synced(client: Client, conversation_id: str) -> AsyncIterator[Message]:
    rev, more = 0, True
    while more:
        page = await client.message_sync(conversation_id=conversation_id, after_rev=rev, page_size=_PAGE)
        for message in page.messages:
            yield message
        more, rev = page.has_more, page.messages[-1].rev if page.messages else rev


async def _history(client: Client, conversation_id: str) -> AsyncIterator[Message]:
    seq, more = 0, True
    while more:
        page = await client.message_list(conversation_id=conversation_id, after_seq=seq, page_size=_PAGE)
        for message in page.messages:
            yield message
        more, seq = page.has_more, page.messages[-1].seq if page.messages else seq


async def _notifications(client: Client, history: History) -> dict[int, NotificationSeen]:
    notifications: dict[int, NotificationSeen] = {}
    token = ""
    while True:
        page = await client.notification_list(type="NEW_MESSAGE", page_size=_PAGE, page_token=token or None)
        for notification in page.notifications:
            number = history.conversations.number(str(notification.data["conversationId"]))
            notifications[number] = NotificationSeen(notification.count, notification.read)
        token = page.next_page_token
        if not token:
            return notifications
