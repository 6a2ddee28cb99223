"""What chat keeps in MongoDB; the only module here that knows it.

Collections
    log            every durable change of every conversation, for ever: a message, or a change entry that says what
                   happened to one, to the members or to the settings. The unique index on (conversation, rev) is the
                   fence: whoever numbers an entry from a stale head collides, reloads and numbers again.
    conversations  each conversation's own fields, and a summary of the log up to where it has been published
    members        who is in which conversation, with their marks
    intents        which life is writing to which conversation, so that what a dead one left can be published
    replicas       each life of a replica: when it last gave a sign, whether it was declared dead, and its sessions

A transaction of a process that was killed stays open for up to a minute, and all that meets it waits. So each life
notes the sessions that its transactions use, for others to end them; the log entry, which everything else may meet,
comes last in a transaction; and inserts into the log wait for a short time only.

All writes are acknowledged by a majority and journaled, all reads are of what a majority has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import pymongo
from bson.binary import UUID_SUBTYPE, Binary
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, DeleteOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError, WriteConcernError
from pymongo.write_concern import WriteConcern

from chassis.mongo.migrations import migrate
from chassis.mongo.store_metrics import store_listeners
from services.chat import documents
from services.chat.domain import Change, ChangeSet, Conversation, Head, LogEntry, Member, MemberKey, Message, ReadMark
from services.chat.migrations import MIGRATIONS

StoreError = PyMongoError
"""What any method raises when the store can't be reached; what a write did is then unknown."""

TIMEOUT_MS: Final = 10_000
INSERT_SECONDS: Final = 3.0
_DUPLICATE_KEY: Final = 11_000


class RefusedError(Exception):
    """The server said that it will not write this: nothing of it is written, and repeating is of no use."""


class FenceError(Exception):
    """Another entry has this rev: the head was stale. Nothing of the entry was written."""


class BatchStoppedError(Exception):
    """An ordered batch stopped at an entry that collided: all before it is written, it and all after it is not.

    `inserted` says how many are written; `known`, that the entry's message id is there already (a repeat), else that
    its rev is (the fence).
    """

    def __init__(self, inserted: int, known: bool) -> None:
        super().__init__(f"stopped at {inserted}")
        self.inserted = inserted
        self.known = known


_MAY_PASS: Final = ("TransientTransactionError", "UnknownTransactionCommitResult", "RetryableWriteError")


def _refused(error: OperationFailure) -> Exception:
    """The error as it is when the write may have been made or may yet be, else RefusedError."""
    may_pass = error.timeout or isinstance(error, WriteConcernError) or any(map(error.has_error_label, _MAY_PASS))
    return error if may_pass else RefusedError(error.code)


def open_client(uri: str) -> AsyncMongoClient[dict[str, Any]]:
    """Opens a client with Parley's guarantees; nothing connects before the first call."""
    return AsyncMongoClient(
        uri,
        timeoutMS=TIMEOUT_MS,
        w="majority",
        journal=True,
        readConcernLevel="majority",
        appname="parley-chat",
        event_listeners=store_listeners(),
    )


class ChatStore:
    """Reads and writes chat's collections. Methods raise StoreError; writes say what else."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], database: str) -> None:
        options: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
        self._client = client
        self._db = client.get_database(database, codec_options=options)
        self._log = self._db["log"]
        self._conversations = self._db["conversations"]
        self._members = self._db["members"]
        self._replicas = self._db["replicas"]
        self._life = ""
        self._noted_sessions: set[bytes] = set()
        # Journaled before the commit that follows it, whose acknowledgement waits for the same journal.
        self._intents = self._db.get_collection("intents", write_concern=WriteConcern(w=1))

    async def prepare(self) -> None:
        """Sees to it that every migration has been made."""
        await migrate(self._db, MIGRATIONS)

    # The log

    async def insert_messages(self, messages: Sequence[Message]) -> None:
        """Inserts messages in order; a crash at any moment leaves a prefix of them.

        Raises:
            BatchStoppedError: one of them collided.
            RefusedError: one of them will not be written; those before it may be.
            StoreError: also where it is not known that a majority has what was written.
        """
        try:
            with pymongo.timeout(INSERT_SECONDS):
                await self._log.insert_many([documents.from_message(message) for message in messages], ordered=True)
        except BulkWriteError as error:
            problem = next(iter(error.details["writeErrors"]), None)
            if problem is None or error.details["writeConcernErrors"]:
                raise
            if problem["code"] != _DUPLICATE_KEY:
                raise RefusedError(problem["code"]) from None
            raise BatchStoppedError(problem["index"], known="_id" in problem.get("keyPattern", {})) from None

    async def commit_change(self, changes: ChangeSet) -> None:
        """Writes a change entry and all that goes with it, as one.

        Raises:
            FenceError: another entry has this rev.
        """
        try:
            async with self._session() as session:
                await session.with_transaction(lambda s: self._write_change(s, changes))
        except (DuplicateKeyError, BulkWriteError) as error:
            raise FenceError from error
        except OperationFailure as error:
            raise _refused(error) from error

    async def _write_change(self, session: AsyncClientSession, changes: ChangeSet) -> None:
        change = changes.change
        conversation_id = change.conversation_id
        if changes.message is not None:
            await self._log.replace_one(
                {"_id": changes.message.message_id}, documents.from_message(changes.message), session=session
            )
        if changes.remove:
            ids = [documents.member_id(conversation_id, user) for user in changes.remove]
            await self._members.delete_many({"_id": {"$in": ids}}, session=session)
        if changes.add:
            organization_id = await self._organization_of(conversation_id, session)
            rows = [documents.from_member(organization_id, conversation_id, member) for member in changes.add]
            await self._members.insert_many(rows, session=session)
        for user_id, role in changes.roles.items():
            await self._members.update_one(
                {"_id": documents.member_id(conversation_id, user_id)}, {"$set": {"role": int(role)}}, session=session
            )
        await self._update_settings(session, changes)
        await self._log.insert_one(documents.from_change(change), session=session)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncClientSession]:
        """A session for a transaction; the driver keeps few of them, and each is noted before its first use."""
        async with self._client.start_session() as session:
            session_id = bytes(session.session_id["id"])
            if session_id not in self._noted_sessions:
                await self._replicas.update_one({"_id": self._life}, {"$addToSet": {"sessions": session_id}})
                self._noted_sessions.add(session_id)
            yield session

    async def _update_settings(self, session: AsyncClientSession, changes: ChangeSet) -> None:
        update: dict[str, Any] = {}
        if changes.settings:
            update["$set"] = dict(changes.settings)
        if grown := len(changes.add) - len(changes.remove):
            update["$inc"] = {"member_count": grown}
        if update:
            await self._conversations.update_one({"_id": changes.change.conversation_id}, update, session=session)

    async def _organization_of(self, conversation_id: str, session: AsyncClientSession) -> str:
        found = await self._conversations.find_one({"_id": conversation_id}, {"o": 1}, session=session)
        return str(found["o"]) if found else ""

    async def messages_by_id(self, message_ids: Collection[str]) -> dict[str, Message]:
        """The messages with these ids, those that there are. Ids come from callers, and may be those of changes."""
        if not message_ids:
            return {}
        cursor = self._log.find({"_id": {"$in": list(message_ids)}, "s": {"$gt": 0}})
        return {document["_id"]: documents.to_message(document) async for document in cursor}

    async def history(
        self, conversation_id: str, *, before_seq: int | None, after_seq: int | None, limit: int
    ) -> list[Message]:
        """Messages next to a seq: descending from before it (or from the newest), or ascending from after it."""
        bounds: dict[str, int] = {"$gt": after_seq or 0}
        if before_seq is not None:
            bounds["$lt"] = before_seq
        direction = DESCENDING if after_seq is None else ASCENDING
        cursor = self._log.find({"c": conversation_id, "s": bounds}).sort("s", direction).limit(limit)
        return [documents.to_message(document) async for document in cursor]

    async def entries(self, conversation_id: str, after_rev: int, limit: int = 0) -> list[LogEntry]:
        """The log's entries after a rev, in order; messages as they are now. All of them when `limit` is 0."""
        query = {"c": conversation_id, "r": {"$gt": after_rev}}
        cursor = self._log.find(query).sort("r", ASCENDING).limit(limit)
        return [documents.to_entry(document) async for document in cursor]

    async def tails(self, after: Mapping[str, int], limit: int = 0) -> dict[str, list[LogEntry]]:
        """For several conversations, the entries after a rev of each, in order.

        With a limit, so many in all, of one conversation after the other by their ids.
        """
        tails: dict[str, list[LogEntry]] = {conversation_id: [] for conversation_id in after}
        if after:
            query = {"$or": [{"c": c, "r": {"$gt": rev}} for c, rev in after.items()]}
            cursor = self._log.find(query).sort([("c", ASCENDING), ("r", ASCENDING)]).limit(limit)
            async for document in cursor:
                tails[document["c"]].append(documents.to_entry(document))
        return tails

    # Conversations

    async def create_conversation(self, conversation: Conversation, members: Sequence[Member], change: Change) -> bool:
        """Makes a conversation with its first log entry, as one; False when it is there already."""

        async def write(session: AsyncClientSession) -> None:
            await self._conversations.insert_one(documents.from_conversation(conversation), session=session)
            organization_id, conversation_id = conversation.organization_id, conversation.conversation_id
            rows = [documents.from_member(organization_id, conversation_id, member) for member in members]
            await self._members.insert_many(rows, session=session)
            await self._log.insert_one(documents.from_change(change), session=session)

        try:
            async with self._session() as session:
                await session.with_transaction(write)
        except DuplicateKeyError:
            return False
        except OperationFailure as error:
            raise _refused(error) from error
        return True

    async def conversations(self, conversation_ids: Iterable[str]) -> dict[str, Conversation]:
        """The conversations with these ids, those that there are."""
        cursor = self._conversations.find({"_id": {"$in": list(conversation_ids)}})
        return {document["_id"]: documents.to_conversation(document) async for document in cursor}

    async def list_conversations(
        self,
        conversation_ids: Sequence[str],
        *,
        kind: int,
        archived: bool | None,
        updated_after_ms: int,
        before: tuple[int, str] | None,
        limit: int,
    ) -> list[Conversation]:
        """Some of these conversations, latest activity first, by their summaries; `before` is (activity, id)."""
        query: dict[str, Any] = {"_id": {"$in": list(conversation_ids)}}
        if kind:
            query["kind"] = kind
        if archived is not None:
            query["archived"] = archived
        if updated_after_ms:
            query["changed"] = {"$gte": DatetimeMS(updated_after_ms)}
        if before is not None:
            activity, conversation_id = DatetimeMS(before[0]), before[1]
            query["$or"] = [{"active": {"$lt": activity}}, {"active": activity, "_id": {"$lt": conversation_id}}]
        order = [("active", DESCENDING), ("_id", DESCENDING)]
        cursor = self._conversations.find(query).sort(order).limit(limit)
        return [documents.to_conversation(document) async for document in cursor]

    async def write_summaries(self, heads: Mapping[str, Head]) -> None:
        """Notes how far conversations have been published; a mark never moves back."""
        updates = [
            UpdateOne({"_id": conversation_id, "rev": {"$lt": head.rev}}, {"$set": documents.head_fields(head)})
            for conversation_id, head in heads.items()
        ]
        if updates:
            await self._conversations.bulk_write(updates, ordered=False)

    # Members

    async def member(self, conversation_id: str, user_id: str) -> Member | None:
        """A member, or None."""
        document = await self._members.find_one({"_id": documents.member_id(conversation_id, user_id)})
        return documents.to_member(document) if document else None

    async def members(self, conversation_ids: Collection[str]) -> dict[str, list[Member]]:
        """All members of some conversations, by user id."""
        found: dict[str, list[Member]] = {conversation_id: [] for conversation_id in conversation_ids}
        if found:
            ranges = [{"_id": {"$gt": f"{c}/", "$lt": f"{c}0"}} for c in conversation_ids]  # "0" follows "/"
            async for document in self._members.find({"$or": ranges}).sort("_id", ASCENDING):
                found[document["c"]].append(documents.to_member(document))
        return found

    async def members_page(self, conversation_id: str, after_user_id: str, limit: int) -> list[Member]:
        """Members by user id, after one of them."""
        bounds = {"$gt": documents.member_id(conversation_id, after_user_id), "$lt": f"{conversation_id}0"}
        cursor = self._members.find({"_id": bounds}).sort("_id", ASCENDING).limit(limit)
        return [documents.to_member(document) async for document in cursor]

    async def own_members(self, user_id: str, conversation_ids: Sequence[str]) -> dict[str, Member]:
        """A user's place in each of some conversations, where there is one."""
        if not conversation_ids:
            return {}
        ids = [documents.member_id(conversation_id, user_id) for conversation_id in conversation_ids]
        cursor = self._members.find({"_id": {"$in": ids}})
        return {document["c"]: documents.to_member(document) async for document in cursor}

    async def conversation_ids_of(self, organization_id: str, user_id: str) -> list[str]:
        """The ids of all conversations that a user is in."""
        cursor = self._members.find({"o": organization_id, "u": user_id}, {"_id": 0, "c": 1})
        return [document["c"] async for document in cursor]

    async def move_marks(self, marks: Mapping[MemberKey, ReadMark], now_ms: int) -> None:
        """Moves marks, forward only, of members alone.

        A read_seq of 0 moves the delivered mark alone; any other was said by somebody who reads now.
        """
        now = DatetimeMS(now_ms)
        updates = [
            UpdateOne(
                {"_id": documents.member_id(*key)},
                {"$max": {"read": read, "delivered": delivered, "read_at": now} if read else {"delivered": delivered}},
            )
            for key, (read, delivered) in marks.items()
        ]
        if updates:
            await self._members.bulk_write(updates, ordered=False)

    async def set_muted_until(self, conversation_id: str, user_id: str, until_ms: int) -> None:
        """Sets until when a member wants no notifications; 0 for none."""
        update = {"$set": {"muted": DatetimeMS(until_ms)}} if until_ms else {"$unset": {"muted": 1}}
        await self._members.update_one({"_id": documents.member_id(conversation_id, user_id)}, update)

    # Intents and lives

    async def write_intents(self, life: str, conversation_ids: Sequence[str], generation: int) -> None:
        """Notes that a life of a replica is about to write to conversations; before it does."""
        updates = [
            UpdateOne({"_id": f"{life}/{c}"}, {"$set": {"c": c, "p": life, "g": generation}}, upsert=True)
            for c in conversation_ids
        ]
        await self._intents.bulk_write(updates, ordered=False)

    async def drop_intents(self, life: str, generations: Mapping[str, int]) -> None:
        """Takes intents back, unless they have been noted again since, which another generation tells."""
        deletes = [DeleteOne({"_id": f"{life}/{c}", "g": generation}) for c, generation in generations.items()]
        if deletes:
            await self._intents.bulk_write(deletes, ordered=False)

    async def intended(self, conversation_ids: Collection[str]) -> set[str]:
        """Which of these conversations some replica is writing to: their summaries may lag behind their logs."""
        cursor = self._intents.find({"c": {"$in": list(conversation_ids)}}, {"_id": 0, "c": 1})
        return {document["c"] async for document in cursor}

    async def intents_of(self, life: str, limit: int) -> dict[str, int]:
        """Some of a life's intents: the generation of each, by conversation."""
        cursor = self._intents.find({"p": life}).limit(limit)
        return {document["c"]: document["g"] async for document in cursor}

    async def begin_life(self, life: str, replica: str) -> None:
        """Notes that a life of a replica has begun, which ends those before it."""
        self._life = life
        begun = {"replica": replica, "dead": False, "sessions": list(self._noted_sessions)}
        await self._replicas.update_one({"_id": life}, {"$set": begun, "$currentDate": {"beat": True}}, upsert=True)
        await self._replicas.update_many({"replica": replica, "_id": {"$ne": life}}, {"$set": {"dead": True}})

    async def renew_life(self, life: str) -> bool:
        """Notes that a life goes on; False when it was declared dead, which is final."""
        result = await self._replicas.update_one({"_id": life, "dead": False}, {"$currentDate": {"beat": True}})
        return result.matched_count == 1

    async def declare_dead(self, timeout_seconds: float) -> list[str]:
        """Declares lives dead that have been silent for so long, by the database's own clock; returns all the dead."""
        since = {"$subtract": ["$$NOW", int(timeout_seconds * 1_000)]}
        silent = {"dead": False, "$expr": {"$lt": ["$beat", since]}}
        await self._replicas.update_many(silent, {"$set": {"dead": True}})
        return [document["_id"] async for document in self._replicas.find({"dead": True}, {"_id": 1})]

    async def end_sessions_of(self, life: str) -> None:
        """Ends what transactions a life has left open."""
        document = await self._replicas.find_one({"_id": life}, {"sessions": 1})
        sessions = [{"id": Binary(session_id, UUID_SUBTYPE)} for session_id in (document or {}).get("sessions", ())]
        if sessions:
            await self._client.admin.command("killSessions", sessions)

    async def end_life(self, life: str) -> None:
        """Removes a life that leaves nothing to do, and intents that it could not take back."""
        await self._intents.delete_many({"p": life})
        await self._replicas.delete_one({"_id": life})
