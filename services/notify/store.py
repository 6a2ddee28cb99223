"""Stores notifications and preferences in MongoDB; the only module of notify that uses it.

Collections
    notifications  one document for each notification, and for each (user, conversation) that has had a message: it
                   also holds the marks that the unread count is computed from, listed or not. Deleted notifications
                   stay as tombstones until they expire, so that a repeat does not restore them.
    deletions      messages deleted recently, for mentions of them that are stored later
    preferences    one document for each user: the muted types, and the requests that marked all as read

Writes are acknowledged by a majority and journaled. It is safe to repeat them: each only advances marks, or inserts
under an id derived from its source. Users' requests that carry a request id leave its digest in the document that they
change; see `chassis.mongo.request_ids`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, cast

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from pymongo import DESCENDING, AsyncMongoClient, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, ConnectionFailure, DuplicateKeyError, PyMongoError

from chassis.errors import UnavailableError
from chassis.mongo import request_ids
from chassis.mongo.migrations import migrate
from chassis.mongo.store_metrics import store_listeners
from services.notify import documents
from services.notify.domain import Notification, NotificationType, Owner, digest_id, id_bytes, id_from_bytes
from services.notify.migrations import MIGRATIONS

TIMEOUT_MS: Final = 10_000
MAX_MARKED: Final = 50_000
"""How many notifications one request with a request id marks as read.

Their positions must fit in the user's document, with 24 bytes each. It has those of the latest request alone, which
include what an earlier request has left unread.
"""

_WRITE_SIZE: Final = 1_000
_WITHOUT_REQUESTS: Final = {request_ids.FIELD: 0}
_SEQ_BYTES: Final = 8
_ID_BYTES: Final = 16

Positions = Mapping[str, int]
"""The last source event of some notifications, by notification id."""


class Cursor(NamedTuple):
    """A position in a listing: it continues after the notification of this time and id."""

    time_ms: int
    notification_id: str


def open_client(uri: str, *, timeout_ms: int = TIMEOUT_MS) -> AsyncMongoClient[dict[str, Any]]:
    """Opens a client with Parley's write and read concerns; it connects on the first call.

    A call retries for `timeout_ms`, also through failovers.
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
async def _translating_errors() -> AsyncIterator[None]:
    """Turns transient errors, such as a failover, into UnavailableError; it is safe to repeat the writes."""
    try:
        yield
    except PyMongoError as error:
        if not _is_transient(error):
            raise
        raise UnavailableError("STORE_UNAVAILABLE", "the store is unreachable", retry_after_ms=1_000) from error


def _is_transient(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError) and not error.details["writeErrors"]:
        return True  # written, but not acknowledged by a majority in time
    return isinstance(error, ConnectionFailure) or error.timeout or error.has_error_label("RetryableWriteError")


class NotificationStore:
    """Reads and writes notifications and preferences.

    Every method raises UnavailableError while the store is unreachable; the outcome of a write is then unknown.

    Args:
        client: the client, which the caller closes.
        database: the database's name.
        retention: how long notifications are kept once they are read or deleted.
        replay: how long an event of chat may be applied again.
    """

    def __init__(
        self, client: AsyncMongoClient[dict[str, Any]], database: str, *, retention: timedelta, replay: timedelta
    ) -> None:
        options: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
        self._database = client.get_database(database, codec_options=options)
        self._notifications = self._database["notifications"]
        self._deletions = self._database["deletions"]
        self._preferences = self._database["preferences"]
        self._retention = max(retention, request_ids.RETENTION)  # tombstones hold the digests of request ids
        self._replay = replay

    async def prepare(self) -> None:
        """Runs the migrations that have not been made."""
        async with _translating_errors():
            await migrate(self._database, MIGRATIONS)

    def _expire_at(self) -> datetime:
        return datetime.now(UTC) + self._retention

    # Many notifications at once

    async def get_many(self, notification_ids: Collection[str]) -> dict[str, Notification]:
        """Returns the stored notifications of these ids, by id, including tombstones and documents with marks only."""
        if not notification_ids:
            return {}
        async with _translating_errors():
            cursor = self._notifications.find({"_id": {"$in": list(notification_ids)}}, _WITHOUT_REQUESTS)
            return {document["_id"]: documents.to_notification(document) async for document in cursor}

    async def join(self, changes: Iterable[Notification]) -> None:
        """Joins the state of each change with the stored state, if there is one. Idempotent and commutative."""
        expire_at = self._expire_at()
        await self._write(
            [UpdateOne({"_id": c.notification_id}, documents.join(c, expire_at), upsert=True) for c in changes]
        )

    async def insert(self, notifications: Iterable[Notification]) -> set[str]:
        """Inserts the notifications that are not stored, even as tombstones; returns the ids that were inserted."""
        return await self._write([_insertion(notification) for notification in notifications])

    async def _write(self, writes: Sequence[UpdateOne]) -> set[str]:
        """Makes upserts by id, unordered and in one round trip; returns the ids that were inserted.

        Of two concurrent upserts of a new id, the server retries the loser as an update; see
        https://www.mongodb.com/docs/manual/reference/method/db.collection.updateOne/#upsert-with-duplicate-values.
        """
        if not writes:
            return set()
        async with _translating_errors():
            result = await self._notifications.bulk_write(writes, ordered=False)
        return set((result.upserted_ids or {}).values())

    async def unread_counts(self, owners: Iterable[Owner]) -> dict[Owner, int]:
        """Returns the unread counts of users."""
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
        async with _translating_errors():
            async for document in await self._notifications.aggregate(stages):
                counts[Owner(organization_id, document["_id"])] = document["count"]
        return counts

    # One user's notifications

    async def page(
        self, owner: Owner, *, unread_only: bool, type_: NotificationType | None, after: Cursor | None, limit: int
    ) -> list[Notification]:
        """Returns up to `limit` of a user's notifications, latest first, after a cursor."""
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
        async with _translating_errors():
            cursor = self._notifications.find(where, _WITHOUT_REQUESTS).sort(order).limit(limit)
            return [documents.to_notification(document) async for document in cursor]

    async def mark_read(self, owner: Owner, notification_id: str, request_id: str = "") -> Notification | None:
        """Marks a notification as read up to its latest source event; returns it, or None if there is none.

        A repeat of a request id changes nothing, even if a newer source event came; it returns the notification even
        if the user deleted it since.
        """
        digest = request_ids.request_digest("mark_read", request_id)
        return await self._advance(owner, notification_id, ("read_seq",), digest)

    async def delete(self, owner: Owner, notification_id: str, request_id: str = "") -> Notification | None:
        """Turns a notification into a tombstone, which a newer source event revives; None if there is none.

        A repeat of a request id changes nothing, even if a newer source event came; it returns the notification, too.
        """
        digest = request_ids.request_digest("delete", request_id)
        return await self._advance(owner, notification_id, ("read_seq", "hidden_seq"), digest)

    async def _advance(
        self, owner: Owner, notification_id: str, marks: tuple[str, ...], digest: bytes | None
    ) -> Notification | None:
        where: dict[str, Any] = {"_id": notification_id, **owner._asdict()}
        if digest is None:
            where["listed"] = True
        else:
            where["$or"] = [{"listed": True}, request_ids.performed(digest)]
        async with _translating_errors():
            document = await self._notifications.find_one_and_update(
                where,
                documents.advance_marks(marks, self._expire_at(), digest),
                projection=_WITHOUT_REQUESTS,
                return_document=ReturnDocument.AFTER,
            )
        return documents.to_notification(document) if document else None

    async def mark_all_read(self, owner: Owner) -> None:
        """Marks all of a user's notifications as read, each up to its latest source event at that moment."""
        async with _translating_errors():
            await self._notifications.update_many(
                {**owner._asdict(), "unread": True}, documents.advance_marks(("read_seq",), self._expire_at())
            )

    async def start_marking_all(self, owner: Owner, request_id: str) -> Positions:
        """Records what a request marks as read: the unread notifications, each up to its latest source event.

        Returns:
            What is still to be marked: as the request's first attempt recorded it, and nothing once an attempt has
            finished or a later request has recorded more. At most MAX_MARKED notifications, the latest ones.
        """
        digest = _mark_all_digest(request_id)
        async with _translating_errors():
            positions = await self._recorded_positions(owner, digest)
            if positions is None:
                positions = await self._record_positions(owner, digest, await self._unread_positions(owner))
        return positions

    async def mark_positions(self, positions: Positions) -> None:
        """Marks notifications as read up to the given positions. Idempotent."""
        expire_at = self._expire_at()
        writes = [
            UpdateOne({"_id": notification_id}, documents.advance_read_seq(seq, expire_at))
            for notification_id, seq in positions.items()
        ]
        for start in range(0, len(writes), _WRITE_SIZE):
            await self._write(writes[start : start + _WRITE_SIZE])

    async def finish_marking_all(self, owner: Owner, request_id: str) -> None:
        """Records that the positions of a request have been marked: its repeats mark nothing."""
        async with _translating_errors():
            await self._preferences.update_one(
                {"_id": _preferences_id(owner)},
                {"$unset": {f"{request_ids.FIELD}.$[request].positions": ""}},
                array_filters=[{"request.id": _mark_all_digest(request_id)}],
            )

    async def _unread_positions(self, owner: Owner) -> Positions:
        cursor = self._notifications.find({**owner._asdict(), "unread": True}, {"last_seq": 1})
        latest_first = cursor.sort([("latest.time", DESCENDING), ("_id", DESCENDING)]).limit(MAX_MARKED)
        return {document["_id"]: document["last_seq"] async for document in latest_first}

    async def _recorded_positions(self, owner: Owner, digest: bytes) -> Positions | None:
        """Returns what is left of an earlier attempt's positions; None if there was none."""
        document = await self._preferences.find_one(
            {"_id": _preferences_id(owner), **request_ids.performed(digest)}, _only_request(digest)
        )
        return None if document is None else _unpacked(document[request_ids.FIELD][0].get("positions", b""))

    async def _record_positions(self, owner: Owner, digest: bytes, positions: Positions) -> Positions:
        """Records positions unless a concurrent attempt has; returns those that are recorded."""
        update = [
            {"$set": {name: {"$literal": value} for name, value in owner._asdict().items()}},
            request_ids.set_once(digest, {}, latest_only=True, positions=_packed(positions)),
        ]
        document = await self._update_preferences(owner, update, _only_request(digest))
        return _unpacked(document[request_ids.FIELD][0].get("positions", b""))

    async def _update_preferences(
        self, owner: Owner, update: documents.Pipeline, projection: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Updates a user's document, or inserts it; returns the projected document after that."""
        where = {"_id": _preferences_id(owner)}
        options: dict[str, Any] = {
            "projection": projection,
            "upsert": True,
            "return_document": ReturnDocument.AFTER,
        }
        try:
            document = await self._preferences.find_one_and_update(where, update, **options)
        except DuplicateKeyError:  # another call inserted the document at the same time
            document = await self._preferences.find_one_and_update(where, update, **options)
        return cast(dict[str, Any], document)  # an upsert that returns the document after it always has one

    # Mentions of deleted messages

    async def redact(self, deletions: Mapping[str, int], text: str) -> None:
        """Replaces the text of the mentions of deleted messages, given as rev by subject; also of later mentions.

        `redact` stores the deletion before it looks for mentions; `redact_deleted` looks for the deletion after a
        mention is stored. So whichever comes second finds the other.
        """
        if not deletions:
            return
        expire_at = datetime.now(UTC) + self._replay
        async with _translating_errors():
            records = [
                UpdateOne({"_id": subject}, {"$max": {"rev": rev}, "$set": {"expire_at": expire_at}}, upsert=True)
                for subject, rev in deletions.items()
            ]
            await self._deletions.bulk_write(records, ordered=False)
            for subject, rev in deletions.items():
                await self._notifications.update_many({"subject": subject}, documents.replace_text(rev, text))

    async def redact_deleted(self, subjects: Collection[str], text: str) -> None:
        """Replaces the text of mentions stored just now whose message was deleted before."""
        if not subjects:
            return
        async with _translating_errors():
            deletions = [deletion async for deletion in self._deletions.find({"_id": {"$in": list(subjects)}})]
            for deletion in deletions:
                await self._notifications.update_many(
                    {"subject": deletion["_id"]}, documents.replace_text(deletion["rev"], text)
                )

    # Preferences

    async def muted_types(self, owners: Iterable[Owner]) -> dict[Owner, frozenset[NotificationType]]:
        """Returns the types that users have muted; without users who have no preferences."""
        ids = [_preferences_id(owner) for owner in set(owners)]
        async with _translating_errors():
            cursor = self._preferences.find({"_id": {"$in": ids}, "muted_types": {"$exists": True}}, _WITHOUT_REQUESTS)
            return {
                Owner(document["organization_id"], document["user_id"]): frozenset(
                    NotificationType(number) for number in document["muted_types"]
                )
                async for document in cursor
            }

    async def set_muted_types(self, owner: Owner, types: Collection[NotificationType], request_id: str = "") -> None:
        """Replaces the types that a user has muted. A repeat of a request id changes nothing."""
        digest = request_ids.request_digest("set_muted_types", request_id)
        changes = {**owner._asdict(), "muted_types": sorted(int(type_) for type_ in types)}
        literals = {name: {"$literal": value} for name, value in changes.items()}
        async with _translating_errors():
            await self._update_preferences(owner, [request_ids.set_once(digest, literals)], {"_id": 1})


def _insertion(notification: Notification) -> UpdateOne:
    document = documents.identity(notification) | documents.content(notification.state)
    return UpdateOne({"_id": notification.notification_id}, {"$setOnInsert": document}, upsert=True)


def _preferences_id(owner: Owner) -> str:
    return digest_id("preferences", *owner)


def _mark_all_digest(request_id: str) -> bytes:
    digest = request_ids.request_digest("mark_all_read", request_id)
    if digest is None:
        raise ValueError("a request id is required")
    return digest


def _only_request(digest: bytes) -> dict[str, Any]:
    return {request_ids.FIELD: {"$elemMatch": {"id": digest}}}


def _packed(positions: Positions) -> bytes:
    """Encodes positions in 24 bytes each: an id's 16 bytes and the seq."""
    return b"".join(id_bytes(key) + seq.to_bytes(_SEQ_BYTES, "big") for key, seq in positions.items())


def _unpacked(packed: bytes) -> Positions:
    size = _ID_BYTES + _SEQ_BYTES
    entries = (packed[at : at + size] for at in range(0, len(packed), size))
    return {id_from_bytes(entry[:_ID_BYTES]): int.from_bytes(entry[_ID_BYTES:], "big") for entry in entries}
