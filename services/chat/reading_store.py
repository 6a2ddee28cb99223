"""What chat reads from MongoDB; see `services.chat.store` for the collections. Reads return majority-committed data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient
from pymongo.write_concern import WriteConcern

from services.chat import documents
from services.chat.domain import Change, Conversation, LogEntry, Member, MemberKey, Message, Version


class ReadingStore:
    """Reads chat's collections. Every method raises StoreError.

    Args:
        client: see `services.chat.store.open_client`.
        database: the database's name.
    """

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], database: str) -> None:
        options: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
        self._client = client
        self._db = client.get_database(database, codec_options=options)
        self._log = self._db["log"]
        self._conversations = self._db["conversations"]
        self._members = self._db["members"]
        self._replicas = self._db["replicas"]
        self._requests = self._db["requests"]
        self._versions = self._db["versions"]
        # w=1 is enough: a commit follows, and its acknowledgement covers everything before it in the journal.
        self._intents = self._db.get_collection("intents", write_concern=WriteConcern(w=1))

    # The log

    async def messages_by_id(self, message_ids: Collection[str]) -> dict[str, Message]:
        """Returns the messages with these ids that exist. Ids come from callers and may be those of change entries."""
        if not message_ids:
            return {}
        cursor = self._log.find({"_id": {"$in": list(message_ids)}, "s": {"$gt": 0}})
        return {document["_id"]: documents.to_message(document) async for document in cursor}

    async def history(
        self, conversation_id: str, *, before_seq: int | None, after_seq: int | None, limit: int
    ) -> list[Message]:
        """Returns messages by descending seq (below before_seq, or the newest), or by ascending seq above after_seq."""
        bounds: dict[str, int] = {"$gt": after_seq or 0}
        if before_seq is not None:
            bounds["$lt"] = before_seq
        direction = DESCENDING if after_seq is None else ASCENDING
        cursor = self._log.find({"c": conversation_id, "s": bounds}).sort("s", direction).limit(limit)
        return [documents.to_message(document) async for document in cursor]

    async def pinned(self, conversation_id: str, limit: int) -> list[Message]:
        """Returns pinned messages by ascending seq."""
        cursor = self._log.find({"c": conversation_id, "pin": True}).sort("s", ASCENDING).limit(limit)
        return [documents.to_message(document) async for document in cursor]

    async def versions(self, message_id: str, rev: int, limit: int) -> list[Version]:
        """Returns the texts that a message had before it had that of a rev, latest first."""
        cursor = self._versions.find({"m": message_id, "r": {"$lte": rev}}).sort("r", DESCENDING).limit(limit)
        return [documents.to_version(document) async for document in cursor]

    async def entries(self, conversation_id: str, after_rev: int, limit: int = 0) -> list[LogEntry]:
        """Returns the entries after a rev, in order, with messages as they are now; all of them if `limit` is 0."""
        query = {"c": conversation_id, "r": {"$gt": after_rev}}
        cursor = self._log.find(query).sort("r", ASCENDING).limit(limit)
        return [documents.to_entry(document) async for document in cursor]

    async def tails(self, after: Mapping[str, int], limit: int = 0) -> dict[str, list[LogEntry]]:
        """Returns the entries after a rev of each conversation, in order.

        Args:
            after: the revs by conversation id.
            limit: the most entries in total, taken from one conversation after the other by id; 0 for no limit.
        """
        tails: dict[str, list[LogEntry]] = {conversation_id: [] for conversation_id in after}
        if after:
            query = {"$or": [{"c": c, "r": {"$gt": rev}} for c, rev in after.items()]}
            cursor = self._log.find(query).sort([("c", ASCENDING), ("r", ASCENDING)]).limit(limit)
            async for document in cursor:
                tails[document["c"]].append(documents.to_entry(document))
        return tails

    async def outcome(self, conversation_id: str, change_id: str) -> Change | None:
        """Returns the entry that a request has written, in the log or in `requests`; None if it has not run."""
        for collection in (self._log, self._requests):
            document = await collection.find_one({"_id": change_id, "c": conversation_id})
            if document is not None and "e" in document:
                return documents.to_change(document)
        return None

    async def message_at(self, conversation_id: str, seq: int) -> Message | None:
        """Returns the message with a seq."""
        document = await self._log.find_one({"c": conversation_id, "s": seq})
        return documents.to_message(document) if document else None

    async def entries_down_from(self, conversation_id: str, rev: int) -> AsyncIterator[LogEntry]:
        """Yields the entries from a rev down to the first."""
        async for document in self._log.find({"c": conversation_id, "r": {"$lte": rev}}).sort("r", DESCENDING):
            yield documents.to_entry(document)

    # Conversations

    async def conversations(self, conversation_ids: Iterable[str]) -> dict[str, Conversation]:
        """Returns the conversations with these ids that exist."""
        cursor = self._conversations.find({"_id": {"$in": list(conversation_ids)}})
        return {document["_id"]: documents.to_conversation(document) async for document in cursor}

    async def list_conversations(
        self,
        conversation_ids: Sequence[str],
        *,
        kinds: Collection[int],
        archived: bool | None,
        updated_after_ms: int,
        external_ref: str,
        before: tuple[int, str] | None,
        limit: int,
    ) -> list[Conversation]:
        """Returns matching conversations, latest activity first, according to their summaries.

        Args:
            conversation_ids: the candidates.
            kinds: empty for any.
            archived: None for any.
            updated_after_ms: the earliest time of the latest change.
            external_ref: empty for any.
            before: the (activity in ms, conversation id) after which the list continues.
            limit: the most conversations to return.
        """
        query: dict[str, Any] = {"_id": {"$in": list(conversation_ids)}}
        if kinds:
            query["kind"] = {"$in": sorted(kinds)}
        if archived is not None:
            query["archived"] = archived
        if updated_after_ms:
            query["changed"] = {"$gte": DatetimeMS(updated_after_ms)}
        if external_ref:
            query["external_ref"] = external_ref
        if before is not None:
            activity, conversation_id = DatetimeMS(before[0]), before[1]
            query["$or"] = [{"active": {"$lt": activity}}, {"active": activity, "_id": {"$lt": conversation_id}}]
        order = [("active", DESCENDING), ("_id", DESCENDING)]
        cursor = self._conversations.find(query).sort(order).limit(limit)
        return [documents.to_conversation(document) async for document in cursor]

    async def changed_conversations(self, since_ms: int) -> AsyncIterator[Conversation]:
        """Yields the conversations whose summaries have a change at or after a time, in Unix ms."""
        async for document in self._conversations.find({"changed": {"$gte": DatetimeMS(since_ms)}}):
            yield documents.to_conversation(document)

    # Members

    async def member(self, conversation_id: str, user_id: str) -> Member | None:
        """Returns a member, or None."""
        document = await self._members.find_one({"_id": documents.member_id(conversation_id, user_id)})
        return documents.to_member(document) if document else None

    async def memberships(self, keys: Collection[MemberKey]) -> dict[MemberKey, bool]:
        """Returns those of these keys that are of members."""
        ids = [documents.member_id(*key) for key in keys]
        cursor = self._members.find({"_id": {"$in": ids}}, {"_id": 0, "c": 1, "u": 1})
        return {MemberKey(document["c"], document["u"]): True async for document in cursor}

    async def members(self, conversation_ids: Collection[str]) -> dict[str, list[Member]]:
        """Returns all members of these conversations, ordered by user id."""
        members: dict[str, list[Member]] = {conversation_id: [] for conversation_id in conversation_ids}
        if members:
            ranges = [{"_id": {"$gt": f"{c}/", "$lt": f"{c}0"}} for c in conversation_ids]  # "0" follows "/"
            async for document in self._members.find({"$or": ranges}).sort("_id", ASCENDING):
                members[document["c"]].append(documents.to_member(document))
        return members

    async def members_page(self, conversation_id: str, after_user_id: str, limit: int) -> list[Member]:
        """Returns members ordered by user id, after one of them."""
        bounds = {"$gt": documents.member_id(conversation_id, after_user_id), "$lt": f"{conversation_id}0"}
        cursor = self._members.find({"_id": bounds}).sort("_id", ASCENDING).limit(limit)
        return [documents.to_member(document) async for document in cursor]

    async def own_members(self, user_id: str, conversation_ids: Sequence[str]) -> dict[str, Member]:
        """Returns a user's membership in each of these conversations that the user is in."""
        if not conversation_ids:
            return {}
        ids = [documents.member_id(conversation_id, user_id) for conversation_id in conversation_ids]
        cursor = self._members.find({"_id": {"$in": ids}})
        return {document["c"]: documents.to_member(document) async for document in cursor}

    async def conversation_ids_of(self, organization_id: str, user_id: str) -> list[str]:
        """Returns the ids of all conversations that a user is in."""
        cursor = self._members.find({"o": organization_id, "u": user_id}, {"_id": 0, "c": 1})
        return [document["c"] async for document in cursor]

    # Intents

    async def intended(self, conversation_ids: Collection[str]) -> set[str]:
        """Returns those of these conversations that have an intent: their summaries may lag behind their logs."""
        cursor = self._intents.find({"c": {"$in": list(conversation_ids)}}, {"_id": 0, "c": 1})
        return {document["c"] async for document in cursor}

    async def intents_of(self, lease_id: str, limit: int) -> dict[str, int]:
        """Returns some intents of a lease: the generation by conversation id."""
        cursor = self._intents.find({"p": lease_id}).limit(limit)
        return {document["c"]: document["g"] async for document in cursor}
