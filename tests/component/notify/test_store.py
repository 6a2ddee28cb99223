"""The database joins states exactly as the domain does, under concurrent writes too."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import AsyncMongoClient

from services.notify.domain import Notification, NotificationType, Owner, State, joined, source_event
from services.notify.store import NotificationStore, open_client
from tests.unit.notify.states import states

RETENTION = timedelta(days=90)
UNREAD = source_event(1, 1, 1_000, title="Task", body="", data="{}")


@pytest.fixture(scope="module")
async def database(mongodb_uri: str) -> AsyncIterator[Any]:
    """A database for this module's tests."""
    name = f"test_notify_{secrets.token_hex(8)}"
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri, tz_aware=True) as client:
        yield client[name]
        await client.drop_database(name)


@pytest.fixture(scope="module")
async def store(mongodb_uri: str, database: Any) -> AsyncIterator[NotificationStore]:
    """A store, with its migrations made."""
    async with open_client(mongodb_uri) as client:
        prepared = NotificationStore(client, database.name, retention=RETENTION, replay=timedelta(hours=2))
        await prepared.prepare()
        yield prepared


def _notification(
    state: State, owner: Owner | None = None, type_: NotificationType = NotificationType.NEW_MESSAGE
) -> Notification:
    return Notification(secrets.token_urlsafe(16), owner or Owner("acme", secrets.token_hex(8)), type_, state)


def _changed(notification: Notification, state: State) -> Notification:
    return Notification(notification.notification_id, notification.owner, notification.type, state)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(parts=st.lists(st.lists(states(), min_size=1, max_size=3), min_size=1, max_size=4))
async def test_states_join_in_the_database_as_in_the_domain(
    store: NotificationStore, parts: Sequence[Sequence[State]]
) -> None:
    notification = _notification(State())

    async def replica(own: Sequence[State]) -> None:
        for state in own:
            await store.join([_changed(notification, state)])

    await asyncio.gather(*(replica(own) for own in parts))
    expected = joined(state for own in parts for state in own)
    stored = await store.get_many([notification.notification_id])
    assert stored == {notification.notification_id: _changed(notification, expected)}
    listed = await store.page(notification.owner, unread_only=False, type_=None, after=None, limit=10)
    assert bool(listed) == expected.listed
    assert await store.unread_counts([notification.owner]) == {notification.owner: int(expected.unread)}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(state=states(), delete=st.booleans())
async def test_the_users_marks_advance_to_the_latest_event(
    store: NotificationStore, state: State, delete: bool
) -> None:
    notification = _notification(state)
    await store.join([notification])
    advance = store.delete if delete else store.mark_read
    after = await advance(notification.owner, notification.notification_id)
    if not state.listed:
        assert after is None
        return
    marks = State(read_seq=state.last_seq, hidden_seq=state.last_seq if delete else 0)
    assert after == _changed(notification, state.join(marks))
    assert await store.unread_counts([notification.owner]) == {notification.owner: 0}


async def test_upserts_of_the_same_new_notifications_at_once_all_take_effect(store: NotificationStore) -> None:
    notifications = [_notification(State()) for _ in range(100)]

    async def replica(seq: int) -> None:
        state = source_event(seq, seq, seq, title="t", body="b", data="{}")
        await store.join([_changed(notification, state) for notification in notifications])

    await asyncio.gather(*(replica(seq) for seq in range(1, 9)))
    stored = await store.get_many([notification.notification_id for notification in notifications])
    assert [notification.count for notification in stored.values()] == [8] * 100


async def test_of_inserts_at_once_exactly_one_inserts(store: NotificationStore) -> None:
    notifications = [_notification(UNREAD) for _ in range(100)]
    inserted = await asyncio.gather(*(store.insert(notifications) for _ in range(6)))
    assert sorted(key for keys in inserted for key in keys) == sorted(n.notification_id for n in notifications)


async def test_what_is_unread_is_kept_and_what_is_read_or_deleted_expires(
    store: NotificationStore, database: Any
) -> None:
    owner = Owner("acme", secrets.token_hex(8))
    inserted, read, hidden = (_notification(UNREAD, owner, NotificationType.REMINDER) for _ in range(3))
    joined_one = _notification(source_event(3, 3, 3, title="t", body="b", data="{}"), owner)
    bare = _notification(State(read_seq=3), owner)
    await store.insert([inserted, read, hidden])
    await store.join([joined_one, bare])
    began = datetime.now(UTC) - timedelta(seconds=1)
    await store.mark_read(owner, read.notification_id)
    await store.delete(owner, hidden.notification_id)
    documents = {d["_id"]: d async for d in database.notifications.find({"user_id": owner.user_id})}
    expiring = {key for key, document in documents.items() if document.get("expire_at")}
    assert expiring == {read.notification_id, hidden.notification_id, bare.notification_id}
    assert documents[read.notification_id]["expire_at"] >= began + RETENTION
    indexes = await database.notifications.index_information()
    assert (indexes["retention"]["key"], indexes["retention"]["expireAfterSeconds"]) == ([("expire_at", 1)], 0)


async def test_what_becomes_unread_again_no_longer_expires(store: NotificationStore, database: Any) -> None:
    notification = _notification(source_event(3, 3, 3, title="t", body="b", data="{}"))
    await store.join([notification])
    await store.mark_read(notification.owner, notification.notification_id)
    await store.join([_changed(notification, source_event(4, 4, 4, title="t", body="b", data="{}"))])
    document = await database.notifications.find_one({"_id": notification.notification_id})
    assert "expire_at" not in document


async def test_counting_reads_nothing_but_the_index(store: NotificationStore, database: Any) -> None:
    owner = Owner("acme", secrets.token_hex(8))
    await store.insert([_notification(UNREAD, owner, NotificationType.REMINDER) for _ in range(20)])
    stages = [
        {"$match": {"organization_id": "acme", "user_id": {"$in": [owner.user_id]}, "unread": True}},
        {"$group": {"_id": "$user_id", "count": {"$sum": 1}}},
    ]
    plan = await database.command(
        "explain", {"aggregate": "notifications", "pipeline": stages, "cursor": {}}, verbosity="executionStats"
    )
    statistics = plan["stages"][0]["$cursor"]["executionStats"] if "stages" in plan else plan["executionStats"]
    assert (statistics["totalKeysExamined"] >= 20, statistics["totalDocsExamined"]) == (True, 0)
