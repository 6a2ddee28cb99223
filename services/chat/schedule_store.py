"""Scheduled messages in MongoDB.

The collection `scheduled` has a document for each message. Those that were sent, were cancelled or failed stay for a
week, so that repeats of requests get the first outcome. A replica claims a message before it sends it; the claim ends
by itself, so that another replica sends what a dead one has claimed. `tries` counts the claims after which a message
may have been sent: it can be changed and cancelled only while there are none.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from pymongo import ASCENDING, AsyncMongoClient, ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from services.chat.domain import Owner, ScheduledMessage, ScheduleState

_KEPT_REQUESTS: Final = 50


class ScheduleStore:
    """Reads and writes scheduled messages. Every method raises StoreError.

    Args:
        client: see `services.chat.store.open_client`.
        database: the database's name.
    """

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], database: str) -> None:
        options: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
        self._scheduled = client.get_database(database, codec_options=options)["scheduled"]

    async def add(self, scheduled: ScheduledMessage) -> None:
        """Adds a message, unless there is one with its id."""
        try:
            await self._scheduled.insert_one(_from_scheduled(scheduled))
        except DuplicateKeyError:
            return

    async def get(self, scheduled_message_id: str, owner: Owner) -> tuple[ScheduledMessage, ScheduleState] | None:
        """Returns a message of a user and its state, whatever became of it."""
        document = await self._scheduled.find_one({"_id": scheduled_message_id, **_owned(owner)})
        return (_to_scheduled(document), ScheduleState(document["state"])) if document else None

    async def waiting(self, owner: Owner, conversation_id: str, limit: int) -> Sequence[ScheduledMessage]:
        """Returns messages of a user that wait, by ascending time; of all conversations if no id is given."""
        query = {**_owned(owner), "state": ScheduleState.WAITING}
        if conversation_id:
            query["c"] = conversation_id
        cursor = self._scheduled.find(query).sort("at", ASCENDING).limit(limit)
        return [_to_scheduled(document) async for document in cursor]

    async def change(
        self, scheduled_message_id: str, changes: Mapping[str, object], digest: str, now_ms: int
    ) -> ScheduledMessage | None:
        """Changes a message that waits, unless a replica has claimed it; then returns None.

        Args:
            scheduled_message_id: the message.
            changes: `text` and `send_ms`, where they change.
            digest: identifies the request; empty if it has no id. A request that was performed changes nothing.
            now_ms: the time, in Unix ms.
        """
        fields: dict[str, object] = {}
        if "text" in changes:
            fields["x"] = changes["text"]
        if "send_ms" in changes:
            fields["at"] = DatetimeMS(int(str(changes["send_ms"])))
        update: dict[str, Any] = {"$set": fields}
        query = _untried(now_ms) | {"_id": scheduled_message_id}
        if digest:
            query["requests"] = {"$ne": digest}
            update["$push"] = {"requests": {"$each": [digest], "$slice": -_KEPT_REQUESTS}}
        document = await self._scheduled.find_one_and_update(query, update, return_document=ReturnDocument.AFTER)
        return _to_scheduled(document) if document else None

    async def was_performed(self, scheduled_message_id: str, digest: str) -> bool:
        """Reports whether a request has changed a message."""
        query = {"_id": scheduled_message_id, "requests": digest}
        return bool(digest) and await self._scheduled.find_one(query, {"_id": 1}) is not None

    async def cancel(self, scheduled_message_id: str, now_ms: int) -> bool:
        """Cancels a message that waits; returns False if it does not wait or a replica has claimed it."""
        update = {"$set": {"state": ScheduleState.CANCELLED, "done": DatetimeMS(now_ms)}}
        result = await self._scheduled.update_one(_untried(now_ms) | {"_id": scheduled_message_id}, update)
        return result.modified_count == 1

    async def claim_due(self, now_ms: int, until_ms: int, limit: int) -> Sequence[ScheduledMessage]:
        """Claims messages whose time has come until a time, the earliest first; none if cancelled or failed."""
        if limit <= 0:  # MongoDB takes 0 for no limit
            return []
        due = _free(now_ms) | {"at": {"$lte": DatetimeMS(now_ms)}}
        ids = [found["_id"] async for found in self._scheduled.find(due, {"_id": 1}).sort("at", ASCENDING).limit(limit)]
        if not ids:
            return []
        token = secrets.token_hex(16)
        claim = {"$set": {"claimed": DatetimeMS(until_ms), "token": token}, "$inc": {"tries": 1}}
        mine = {"_id": {"$in": ids}, "token": token}  # another replica may have claimed the others
        write = asyncio.ensure_future(self._scheduled.update_many(due | {"_id": {"$in": ids}}, claim))
        try:
            await asyncio.shield(write)  # a write that was cancelled could still claim after the release
            return [_to_scheduled(document) async for document in self._scheduled.find(mine).sort("at", ASCENDING)]
        except BaseException:
            with suppress(PyMongoError):  # then the claims end at their time
                await asyncio.wait([write])
                await self._scheduled.update_many(mine, _release(now_ms))
            raise

    async def release(self, scheduled_message_id: str, at_ms: int) -> None:
        """Ends the claim of a message that surely was not sent at a time, so that it is sent then."""
        await self._scheduled.update_one({"_id": scheduled_message_id}, _release(at_ms))

    async def finish(self, scheduled_message_id: str, state: ScheduleState, now_ms: int) -> None:
        """Records what became of a message."""
        update = {"$set": {"state": state, "done": DatetimeMS(now_ms)}}
        await self._scheduled.update_one({"_id": scheduled_message_id, "state": ScheduleState.WAITING}, update)


def _owned(owner: Owner) -> dict[str, Any]:
    return {"o": owner.organization_id, "u": owner.user_id}


def _free(now_ms: int) -> dict[str, Any]:
    """Returns a query for messages that wait and that no replica has claimed."""
    return {"state": ScheduleState.WAITING, "claimed": {"$lte": DatetimeMS(now_ms)}}


def _untried(now_ms: int) -> dict[str, Any]:
    """Returns a query for free messages that no replica may have sent or may still send."""
    return _free(now_ms) | {"tries": {"$in": [None, 0]}}


def _release(at_ms: int) -> dict[str, Any]:
    return {"$set": {"claimed": DatetimeMS(at_ms)}, "$unset": {"token": ""}, "$inc": {"tries": -1}}


def _from_scheduled(scheduled: ScheduledMessage) -> dict[str, Any]:
    return {
        "_id": scheduled.scheduled_message_id,
        **_owned(scheduled.owner),
        "n": scheduled.sender_name,
        "c": scheduled.conversation_id,
        "k": scheduled.client_message_id,
        "x": scheduled.text,
        "at": DatetimeMS(scheduled.send_ms),
        "state": ScheduleState.WAITING,
        "claimed": DatetimeMS(0),
    }


def _to_scheduled(document: Mapping[str, Any]) -> ScheduledMessage:
    return ScheduledMessage(
        document["_id"],
        Owner(document["o"], document["u"]),
        document["n"],
        document["c"],
        document["k"],
        document["x"],
        int(document["at"]),
    )
