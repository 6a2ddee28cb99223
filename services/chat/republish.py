"""What chat needs when its store was restored and Redis is empty: what was published last is to be published again.

A store says of what was published, and not of who has read it. While Redis lives that is enough; but what the backup
has as published may have been on its way to notify at that moment, and its copy in Redis is gone. So the summaries of
conversations that were busy then are set back, under intents of a life that is dead: the first replica that starts
publishes the rest, as it does for one that was killed. Whoever had it already finds nothing new in it.
"""

from __future__ import annotations

from typing import Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS

from chassis.mongo.migrations import Database
from services.chat import documents
from services.chat.domain import Head, LogEntry, Message

LIFE: Final = "restored"
_OPTIONS: Final[CodecOptions[dict[str, Any]]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)


async def publish_again(database: Database, since_ms: int) -> int:
    """Has chat publish all entries since a time when it starts; gives the number of conversations. May be repeated."""
    database = database.with_options(codec_options=_OPTIONS)
    life = {"replica": LIFE, "dead": True, "sessions": []}
    await database["replicas"].update_one({"_id": LIFE}, {"$set": life, "$currentDate": {"beat": True}}, upsert=True)
    count = 0
    async for document in database["conversations"].find({"changed": {"$gte": DatetimeMS(since_ms)}}):
        conversation = documents.to_conversation(document)
        head = await _head_before(database, conversation.conversation_id, conversation.head, since_ms)
        intent = {"c": conversation.conversation_id, "p": LIFE, "g": 0}
        await database["intents"].update_one({"_id": f"{LIFE}/{intent['c']}"}, {"$set": intent}, upsert=True)
        await database["conversations"].update_one(
            {"_id": conversation.conversation_id}, {"$set": documents.head_fields(head)}
        )
        count += 1
    return count


async def _head_before(database: Database, conversation_id: str, head: Head, since_ms: int) -> Head:
    """A conversation's head before the first entry since a time; times never run backwards along revs."""
    query = {"c": conversation_id, "r": {"$lte": head.rev}}
    async for document in database["log"].find(query).sort("r", -1):
        entry = documents.to_entry(document)
        if _time_ms(entry) < since_ms:
            return await _head_at(database, entry, head)
    return Head(seq=0, rev=0, last_message_id="", last_message_ms=head.last_message_ms, changed_ms=head.changed_ms)


async def _head_at(database: Database, entry: LogEntry, later: Head) -> Head:
    rev = entry.position if isinstance(entry, Message) else entry.rev
    last = await database["log"].find_one({"c": entry.conversation_id, "s": entry.seq}) if entry.seq else None
    if last is None:
        active_ms = later.last_message_ms if not later.seq else _time_ms(entry)
        return Head(entry.seq, rev, "", active_ms, _time_ms(entry))
    message = documents.to_message(last)
    return Head(entry.seq, rev, message.message_id, message.create_ms, _time_ms(entry))


def _time_ms(entry: LogEntry) -> int:
    return entry.create_ms if isinstance(entry, Message) else entry.time_ms
