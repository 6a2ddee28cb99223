"""What notify keeps in MongoDB; the only module here that talks to it.

Collections
    notifications  one document for each notification, and for each (user, conversation) that has had a message: there
                   it is also where the marks are kept that the count follows from, read or not. Deleted ones stay as
                   tombstones until they expire, so that a repeat does not bring them back.
    deletions      messages that were deleted lately, for mentions of them that come to be written afterwards
    preferences    what users want to hear of

All writes are acknowledged by a majority and journaled, and may be repeated: each only moves marks forward, or inserts
under an id that follows from what it is made for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from pymongo import DESCENDING, AsyncMongoClient, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, ConnectionFailure, PyMongoError

from chassis.errors import UnavailableError
from chassis.mongo.migrations import migrate
from chassis.mongo.store_metrics import store_listeners
from services.notify import documents
from services.notify.domain import Notification, NotificationType, Owner, digest_id
from services.notify.migrations import MIGRATIONS

TIMEOUT_MS: Final = 10_000


class Cursor(NamedTuple):
    """Where a listing goes on: after the notification of this time and id."""

    time_ms: int
    notification_id: str


def open_client(uri: str, *, timeout_ms: int = TIMEOUT_MS) -> AsyncMongoClient[dict[str, Any]]:
    """Opens a client with Parley's guarantees; nothing connects before the first call.

    A call goes on trying, through failovers too, for `timeout_ms`.
    """
    return AsyncMongoClient(
        uri,
        timeoutMS=timeout_ms,
        w="majority",
        journal=True,
        readConcernLevel="majority",
        appname="parley-notify",
        event_listeners=store_listeners(),
    )


@asynccontextmanager
async def _reached() -> AsyncIterator[None]:
    """Turns what passes by itself, such as a failover, into UnavailableError; whatever was written may be repeated."""
    try:
        yield
    except PyMongoError as error:
        if not _passes(error):
            raise
        raise UnavailableError("STORE_UNAVAILABLE", "the store can't be reached now", retry_after_ms=1_000) from error


def _passes(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError) and not error.details["writeErrors"]:
        return True  # written, but not by a majority in time
    return isinstance(error, ConnectionFailure) or error.timeout or error.has_error_label("RetryableWriteError")


class NotificationStore:
    """Reads and writes notifications and preferences.

    Every method raises UnavailableError while the store can't be reached; what a write did is then unknown.

    Args:
        client: not closed here.
        database: the database's name.
        retention: how long notifications are kept once nobody is to read them any more.
        replay: how long an event of chat may still come again.
    """

    def __init__(
        self, client: AsyncMongoClient[dict[str, Any]], database: str, *, retention: timedelta, replay: timedelta
    ) -> None:
        options: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
        self._database = client.get_database(database, codec_options=options)
        self._notifications = self._database["notifications"]
        self._deletions = self._database["deletions"]
        self._preferences = self._database["preferences"]
        self._retention = retention
        self._replay = replay

    async def prepare(self) -> None:
        """Sees to it that every migration has been made."""
        async with _reached():
            await migrate(self._database, MIGRATIONS)

    def _expire_at(self) -> datetime:
        return datetime.now(UTC) + self._retention

    # Many notifications at once

    async def get_many(self, notification_ids: Collection[str]) -> dict[str, Notification]:
        """Those of some notifications that are there, by id, tombstones and bare marks included."""
        if not notification_ids:
            return {}
        async with _reached():
            cursor = self._notifications.find({"_id": {"$in": list(notification_ids)}})
            return {document["_id"]: documents.to_notification(document) async for document in cursor}

    async def join(self, changes: Iterable[Notification]) -> None:
        """Joins the state of each change to what is stored of that notification, if anything is.

        Idempotent, and in whatever order it is done the same comes of it.
        """
        expire_at = self._expire_at()
        await self._write(
            [UpdateOne({"_id": c.notification_id}, documents.join(c, expire_at), upsert=True) for c in changes]
        )

    async def insert(self, notifications: Iterable[Notification]) -> set[str]:
        """Inserts those that are not there, even as tombstones; gives the ids of those it inserted."""
        return await self._write([_insertion(notification) for notification in notifications])

    async def _write(self, writes: Sequence[UpdateOne]) -> set[str]:
        """Carries upserts by id out, in no order, in one round trip; gives the ids of those that inserted.

        Of two upserts of one new id at the same moment the server itself repeats the loser, as an update; see
        https://www.mongodb.com/docs/manual/reference/method/db.collection.updateOne/#upsert-with-duplicate-values.
        """
        if not writes:
            return set()
        async with _reached():
            result = await self._notifications.bulk_write(writes, ordered=False)
        return set((result.upserted_ids or {}).values())

    async def unread_counts(self, owners: Iterable[Owner]) -> dict[Owner, int]:
        """How many notifications some users have unread."""
        users: dict[str, list[str]] = {}
        for owner in set(owners):
            users.setdefault(owner.organization_id, []).append(owner.user_id)
        counts: dict[Owner, int] = {}
        for organization_id, user_ids in users.items():
            counts |= await self._count(organization_id, user_ids)
        return counts

    async def _count(self, organization_id: str, user_ids: list[str]) -> dict[Owner, int]:
        counts = {Owner(organization_id, user_id): 0 for user_id in user_ids}
        unread = {"organization_id": organization_id, "user_id": {"$in": user_ids}, "unread": True}
        stages: list[dict[str, Any]] = [{"$match": unread}, {"$group": {"_id": "$user_id", "count": {"$sum": 1}}}]
        async with _reached():
            async for document in await self._notifications.aggregate(stages):
                counts[Owner(organization_id, document["_id"])] = document["count"]
        return counts

    # One user's notifications

    async def page(
        self, owner: Owner, *, unread_only: bool, type_: NotificationType | None, after: Cursor | None, limit: int
    ) -> list[Notification]:
        """A user's notifications, latest first, from a cursor on."""
        where: dict[str, Any] = {**owner._asdict(), "listed": True}
        if unread_only:
            where["unread"] = True
        if type_ is not None:
            where["type"] = int(type_)
        if after is not None:
            time = DatetimeMS(after.time_ms)
            where["latest.time"] = {"$lte": time}
            where["$or"] = [{"latest.time": {"$lt": time}}, {"_id": {"$lt": after.notification_id}}]
        order = [("latest.time", DESCENDING), ("_id", DESCENDING)]
        async with _reached():
            cursor = self._notifications.find(where).sort(order).limit(limit)
            return [documents.to_notification(document) async for document in cursor]

    async def mark_read(self, owner: Owner, notification_id: str) -> Notification | None:
        """Marks one as read up to the latest thing it stands for; None when there is none."""
        return await self._move(owner, notification_id, ("read_seq",))

    async def hide(self, owner: Owner, notification_id: str) -> Notification | None:
        """Leaves a tombstone of one, which something newer brings back; None when there is none."""
        return await self._move(owner, notification_id, ("read_seq", "hidden_seq"))

    async def _move(self, owner: Owner, notification_id: str, marks: tuple[str, ...]) -> Notification | None:
        where = {"_id": notification_id, **owner._asdict(), "listed": True}
        async with _reached():
            document = await self._notifications.find_one_and_update(
                where, documents.done(marks, self._expire_at()), return_document=ReturnDocument.AFTER
            )
        return documents.to_notification(document) if document else None

    async def mark_all_read(self, owner: Owner) -> None:
        """Marks all of a user's as read, each up to the latest thing it stands for at that moment."""
        async with _reached():
            await self._notifications.update_many(
                {**owner._asdict(), "unread": True}, documents.done(("read_seq",), self._expire_at())
            )

    # Mentions of deleted messages

    async def redact(self, deletions: Mapping[str, int], text: str) -> None:
        """Replaces what mentions say of deleted messages, given as rev by subject; those to come included.

        The deletion is noted before the mentions are looked for, and `redact_noted` looks for the note after a
        mention was written: whichever comes first, the other finds it.
        """
        if not deletions:
            return
        expire_at = datetime.now(UTC) + self._replay
        async with _reached():
            notes = [
                UpdateOne({"_id": subject}, {"$max": {"rev": rev}, "$set": {"expire_at": expire_at}}, upsert=True)
                for subject, rev in deletions.items()
            ]
            await self._deletions.bulk_write(notes, ordered=False)
            for subject, rev in deletions.items():
                await self._notifications.update_many({"subject": subject}, documents.retext(rev, text))

    async def redact_noted(self, subjects: Collection[str], text: str) -> None:
        """Replaces what mentions say, written just now, where their message was deleted before."""
        if not subjects:
            return
        async with _reached():
            notes = [note async for note in self._deletions.find({"_id": {"$in": list(subjects)}})]
            for note in notes:
                await self._notifications.update_many({"subject": note["_id"]}, documents.retext(note["rev"], text))

    # Preferences

    async def muted_types(self, owners: Iterable[Owner]) -> dict[Owner, frozenset[NotificationType]]:
        """What some users don't want to hear of; users without preferences are left out."""
        ids = [_preferences_id(owner) for owner in set(owners)]
        async with _reached():
            cursor = self._preferences.find({"_id": {"$in": ids}})
            return {
                Owner(document["organization_id"], document["user_id"]): frozenset(
                    NotificationType(number) for number in document["muted_types"]
                )
                async for document in cursor
            }

    async def set_muted_types(self, owner: Owner, types: Collection[NotificationType]) -> None:
        """Replaces what a user doesn't want to hear of."""
        changes = {**owner._asdict(), "muted_types": sorted(int(type_) for type_ in types)}
        async with _reached():
            await self._preferences.update_one({"_id": _preferences_id(owner)}, {"$set": changes}, upsert=True)


def _insertion(notification: Notification) -> UpdateOne:
    document = documents.identity(notification) | documents.content(notification.state)
    return UpdateOne({"_id": notification.notification_id}, {"$setOnInsert": document}, upsert=True)


def _preferences_id(owner: Owner) -> str:
    return digest_id("preferences", *owner)
