"""What of presence outlives sessions and Redis, in MongoDB; the only module here that knows it.

One collection, `users`, one small document for each user that ever had a session or chose a status:

    _id             "<organization id>/<user id>"
    role            as in the user's latest token
    status, text    what they chose
    choices         how often they chose: of two choices the one with the greater count is the later
    last_seen_time  when they were last active, as others may know it
    present         whether others were told that they are there, and not yet that they left
    revision        that of the state in Redis from which role, last_seen_time and present were written

Writes are acknowledged by a majority and journaled. All methods raise UnavailableError STORE_UNAVAILABLE while
MongoDB can't be reached; what a write did is then unknown, and it may be repeated.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import AsyncMongoClient, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from chassis.errors import UnavailableError
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
    """Opens a client with Parley's guarantees; nothing connects before the first call."""
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
        client: the client; not closed here.
        database: the database's name.
    """

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], database: str) -> None:
        self._database = client[database]
        self._users = self._database["users"]

    async def prepare(self) -> None:
        """Sees to it that every migration has been made."""
        with _reaching():
            await migrate(self._database, MIGRATIONS)

    async def load(self, keys: Sequence[UserKey]) -> dict[UserKey, Record]:
        """The records of those users that have one."""
        if not keys:
            return {}
        with _reaching():
            found = await self._users.find({"_id": {"$in": [member_of(key) for key in keys]}}).to_list()
        return {key_of(document["_id"]): _record(document) for document in found}

    async def choose(self, key: UserKey, role: str, status: Status, text: str | None) -> tuple[Record | None, Record]:
        """Stores what a user chose; without a text, the old one stays.

        Of two at once, the one with the greater `choice.version` is the later.

        Returns:
            The record before, if there was one, and the record now.
        """
        chosen = {"role": role, "status": status.name, **({} if text is None else {"text": text})}
        change = {"$set": chosen, "$inc": {"choices": 1}, "$setOnInsert": {"present": False, "revision": 0}}
        with _reaching():
            try:
                document = await self._update(key, change)
            except DuplicateKeyError:  # the first of its kind, made by another at the same time
                document = await self._update(key, change)
        before = _record(document) if document is not None else None
        old = before or Record()
        choice = UserSetting(status, old.choice.text if text is None else text, old.choice.version + 1)
        return before, old._replace(role=role, choice=choice)

    async def _update(self, key: UserKey, change: Mapping[str, Any]) -> dict[str, Any] | None:
        return await self._users.find_one_and_update(
            {"_id": member_of(key)}, change, upsert=True, return_document=ReturnDocument.BEFORE
        )

    async def save(self, states: Sequence[UserState]) -> None:
        """Writes the due footprints of states, but for those of which a later one has been written."""
        with _reaching():
            try:
                await self._users.bulk_write([_saving(state) for state in states], ordered=False)
            except BulkWriteError as error:
                # Only an older revision than the stored one matches nothing, and then fails to be inserted.
                if any(problem["code"] != _DUPLICATE_KEY for problem in error.details["writeErrors"]):
                    raise

    async def present(self) -> AsyncIterator[list[UserKey]]:
        """Those of whom others were told that they are there, and not yet that they left; part by part."""
        with _reaching():
            cursor = self._users.find({"present": True}, {"_id": 1}).batch_size(_PAGE)
        async with cursor:
            while True:
                with _reaching():
                    found = await cursor.to_list(_PAGE)
                if not found:
                    return
                yield [key_of(document["_id"]) for document in found]


def _saving(state: UserState) -> UpdateOne:
    footprint = state.due_footprint
    fields: dict[str, Any] = {"role": footprint.role, "present": footprint.present, "revision": state.revision}
    if footprint.seen_ms is not None:
        fields["last_seen_time"] = _EPOCH + timedelta(milliseconds=footprint.seen_ms)
    return UpdateOne({"_id": member_of(state.key), "revision": {"$lt": state.revision}}, {"$set": fields}, upsert=True)


def _record(document: Mapping[str, Any]) -> Record:
    seen = document.get("last_seen_time")
    return Record(
        role=document.get("role", ""),
        choice=UserSetting(
            Status[document["status"]] if "status" in document else Status.ONLINE,
            document.get("text", ""),
            document.get("choices", 0),
        ),
        seen_ms=None if seen is None else (seen - _EPOCH) // timedelta(milliseconds=1),
        present=document.get("present", False),
    )


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        _log.warning("mongodb_failed", error=type(error).__name__)
        raise UnavailableError(
            "STORE_UNAVAILABLE", "presence's store can't be reached; try again", retry_after_ms=1_000
        ) from error
