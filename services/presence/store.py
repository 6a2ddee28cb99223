"""Stores the records that outlive sessions and Redis in MongoDB; the only module of presence that uses MongoDB.

The collection `users` has one small document for each user who ever had a session or set a status:

    _id             "<organization id>/<user id>"
    role            the role of the user's latest token
    status, text    the user's setting
    choices         how often the user changed the setting: of two settings, the greater count is the later
    last_seen_time  when the user was last active, as others may know it
    present         whether the user was published as present, and not yet as offline
    revision        the revision of the state in Redis that role, last_seen_time and present were written from
    requests        the digests of the request ids of settings; see chassis.mongo.request_ids

Writes are acknowledged by a majority and journaled. Every method raises UnavailableError STORE_UNAVAILABLE while
MongoDB is unreachable. The outcome of a write is then unknown, and it is safe to repeat it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import AsyncMongoClient, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from chassis.errors import UnavailableError
from chassis.mongo import request_ids
from chassis.mongo.migrations import migrate
from chassis.mongo.store_metrics import store_listeners
from chassis.process.logs import logger
from services.presence.domain import Record, Status, UserKey, UserSetting, UserState
from services.presence.encoding import key_of, member_of
from services.presence.migrations import MIGRATIONS

TIMEOUT_MS: Final = 10_000
_DUPLICATE_KEY: Final = 11_000
_PAGE: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_log = logger("store")


def open_client(uri: str) -> AsyncMongoClient[dict[str, Any]]:
    """Opens a client with Parley's write and read concerns; it connects on the first call."""
    return AsyncMongoClient(
        uri,
        timeoutMS=TIMEOUT_MS,
        w="majority",
        journal=True,
        readConcernLevel="majority",
        tz_aware=True,
        appname="parley-presence",
        event_listeners=store_listeners(),
    )


class PresenceStore:
    """Reads and writes the users' records.

    Args:
        client: the client, which the caller closes.
        database: the database's name.
    """

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], database: str) -> None:
        self._database = client[database]
        self._users = self._database["users"]

    async def prepare(self) -> None:
        """Runs the migrations that have not been made."""
        with _translating_errors():
            await migrate(self._database, MIGRATIONS)

    async def load(self, keys: Sequence[UserKey]) -> dict[UserKey, Record]:
        """Returns the records of users, without those who have none."""
        if not keys:
            return {}
        with _translating_errors():
            where = {"_id": {"$in": [member_of(key) for key in keys]}}
            documents = await self._users.find(where, {request_ids.FIELD: 0}).to_list()
        return {key_of(document["_id"]): _record(document) for document in documents}

    async def set_status(
        self, key: UserKey, role: str, status: Status, text: str | None, request_id: str = ""
    ) -> tuple[Record | None, Record]:
        """Stores a user's setting; if the text is None, the stored one stays. A repeat of a request id stores nothing.

        Of two concurrent calls, the one with the greater `setting.version` is the later.

        Returns:
            The record before, if there was one, and the record after; for a repeat, the stored one as both.
        """
        digest = request_ids.request_digest("set_status", request_id)
        changes: dict[str, Any] = {
            "role": {"$literal": role},
            "status": {"$literal": status.name},
            "choices": {"$add": [{"$ifNull": ["$choices", 0]}, 1]},
        }
        if text is not None:
            changes["text"] = {"$literal": text}
        defaults = {name: {"$ifNull": [f"${name}", value]} for name, value in (("present", False), ("revision", 0))}
        update = [request_ids.set_once(digest, changes), {"$set": defaults}]
        with _translating_errors():
            try:
                document = await self._update(key, update)
            except DuplicateKeyError:  # another call inserted the document at the same time
                document = await self._update(key, update)
        before = _record(document) if document is not None else None
        if document is not None and request_ids.contains(document, digest, datetime.now(UTC)):
            return before, _record(document)
        old = before or Record()
        setting = UserSetting(status, old.setting.text if text is None else text, old.setting.version + 1)
        return before, old._replace(role=role, setting=setting)

    async def _update(self, key: UserKey, update: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        return await self._users.find_one_and_update(
            {"_id": member_of(key)}, update, upsert=True, return_document=ReturnDocument.BEFORE
        )

    async def save(self, states: Sequence[UserState]) -> None:
        """Writes the states' `due_persisted`, except where a later revision has been written."""
        with _translating_errors():
            try:
                await self._users.bulk_write([_saving(state) for state in states], ordered=False)
            except BulkWriteError as error:
                # An older revision than the stored one matches no document, so its upsert tries to insert and fails.
                if any(failure["code"] != _DUPLICATE_KEY for failure in error.details["writeErrors"]):
                    raise

    async def present_users(self) -> AsyncIterator[list[UserKey]]:
        """Yields, in parts, the users who were published as present and not yet as offline."""
        with _translating_errors():
            cursor = self._users.find({"present": True}, {"_id": 1}).batch_size(_PAGE)
        async with cursor:
            while True:
                with _translating_errors():
                    documents = await cursor.to_list(_PAGE)
                if not documents:
                    return
                yield [key_of(document["_id"]) for document in documents]


def _saving(state: UserState) -> UpdateOne:
    persisted = state.due_persisted
    fields: dict[str, Any] = {"role": persisted.role, "present": persisted.present, "revision": state.revision}
    if persisted.seen_ms is not None:
        fields["last_seen_time"] = _EPOCH + timedelta(milliseconds=persisted.seen_ms)
    return UpdateOne({"_id": member_of(state.key), "revision": {"$lt": state.revision}}, {"$set": fields}, upsert=True)


def _record(document: Mapping[str, Any]) -> Record:
    seen = document.get("last_seen_time")
    return Record(
        role=document.get("role", ""),
        setting=UserSetting(
            Status[document["status"]] if "status" in document else Status.ONLINE,
            document.get("text", ""),
            document.get("choices", 0),
        ),
        seen_ms=None if seen is None else (seen - _EPOCH) // timedelta(milliseconds=1),
        present=document.get("present", False),
    )


@contextmanager
def _translating_errors() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        _log.warning("mongodb_failed", error=type(error).__name__)
        raise UnavailableError(
            "STORE_UNAVAILABLE", "the presence store is unreachable; try again", retry_after_ms=1_000
        ) from error
