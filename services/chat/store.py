"""Chat's data in MongoDB. Only modules named *store.py, documents.py and migrations.py of chat know MongoDB.

Collections
    log            every durable change of every conversation, kept for ever: a message, or a change entry that says
                   what happened to a message, to the members or to the settings. The unique index on (conversation,
                   rev) is the fence: a writer that sequences an entry after a stale head collides, reloads the
                   conversation and sequences again.
    conversations  each conversation's own fields, and a summary of its log up to the last published entry
    members        the members of each conversation, with their read marks
    versions       the texts that edited messages had, until the messages are deleted
    drafts         see `services.chat.draft_store`
    scheduled      see `services.chat.schedule_store`
    requests       entries of requests that have an id and wrote nothing to a log, so that a repeat does nothing either
    intents        the conversations that each lease writes to, so that others can publish what a dead replica left
    replicas       leases: when each was last renewed, whether it was declared dead, and its MongoDB sessions

A transaction of a killed process stays open for up to a minute, and every operation that conflicts with it waits. So
each lease records the sessions of its transactions for others to kill; a transaction writes its log entry, with which
everything else may conflict, last; and inserts into the log have a short timeout.

All writes are acknowledged by a majority and journaled; all reads return majority-committed data.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import pymongo
from bson.binary import UUID_SUBTYPE, Binary
from bson.datetime_ms import DatetimeMS
from pymongo import AsyncMongoClient, DeleteOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError, WriteConcernError

from chassis.mongo.migrations import migrate
from chassis.mongo.store_metrics import store_listeners
from services.chat import documents
from services.chat.domain import Change, ChangeSet, Conversation, Head, Member, MemberKey, Message, ReadMark, Version
from services.chat.migrations import MIGRATIONS
from services.chat.reading_store import ReadingStore

StoreError = PyMongoError
"""Raised by every method if the store can't be reached; the outcome of a write is then unknown."""

TIMEOUT_MS: Final = 10_000
INSERT_SECONDS: Final = 3.0
_DUPLICATE_KEY: Final = 11_000


class RefusedError(Exception):
    """The server rejected a write. Nothing was written, and a retry would fail too."""


class FenceError(Exception):
    """Another entry has this rev, because the head was stale. Nothing was written."""


class BatchStoppedError(Exception):
    """An ordered batch stopped at a message that collided. The messages before it were written, the rest was not.

    Attributes:
        inserted: the number of messages that were written.
        known: whether the log has the message's id already (a repeat); else it has its rev (the fence).
    """

    def __init__(self, inserted: int, known: bool) -> None:
        super().__init__(f"stopped at {inserted}")
        self.inserted = inserted
        self.known = known


_RETRYABLE_LABELS: Final = ("TransientTransactionError", "UnknownTransactionCommitResult", "RetryableWriteError")


def _refused(error: OperationFailure) -> Exception:
    """Returns RefusedError, or the error itself if the write may have happened or may still happen."""
    may_be_written = (
        error.timeout or isinstance(error, WriteConcernError) or any(map(error.has_error_label, _RETRYABLE_LABELS))
    )
    return error if may_be_written else RefusedError(error.code)


def open_client(uri: str) -> AsyncMongoClient[dict[str, Any]]:
    """Returns a client with the concerns that the store relies on; it connects with the first call."""
    return AsyncMongoClient(
        uri,
        timeoutMS=TIMEOUT_MS,
        w="majority",
        journal=True,
        readConcernLevel="majority",
        appname="parley-chat",
        event_listeners=store_listeners(),
    )


class ChatStore(ReadingStore):
    """Reads and writes chat's collections. Every method raises StoreError.

    Args:
        client: see `open_client`; `parley restore` passes its own.
        database: the database's name.
    """

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], database: str) -> None:
        super().__init__(client, database)
        self._lease_id = ""
        self._recorded_sessions: set[bytes] = set()

    async def prepare(self) -> None:
        """Runs the migrations that are missing."""
        await migrate(self._db, MIGRATIONS)

    # The log

    async def insert_messages(self, messages: Sequence[Message]) -> None:
        """Inserts messages in order; a crash leaves a prefix of them.

        Raises:
            BatchStoppedError: a message collided.
            RefusedError: the server rejected a message; those before it may have been written.
            StoreError: also if a majority may not have the messages.
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
        """Writes a change entry and everything that belongs to it in one transaction.

        Raises:
            FenceError: another entry has this rev.
            RefusedError: the server rejected the write.
        """
        try:
            async with self._session() as session:
                await session.with_transaction(lambda s: self._write_change(s, changes))
        except (DuplicateKeyError, BulkWriteError) as error:
            raise FenceError from error
        except OperationFailure as error:
            raise _refused(error) from error

    async def commit_private(self, changes: ChangeSet) -> None:
        """Writes a change set that is UNCHANGED: what members set for themselves, and an entry in `requests`.

        The entry is that of a request with a change id; does nothing if `requests` has it already.

        Raises:
            RefusedError: the server rejected the write.
        """
        if not changes.change.change_id:
            await self._set_own(changes, None)
            return

        async def write(session: AsyncClientSession) -> None:
            await self._requests.insert_one(documents.from_change(changes.change), session=session)
            await self._set_own(changes, session)

        try:
            async with self._session() as session:
                await session.with_transaction(write)
        except DuplicateKeyError:
            return
        except OperationFailure as error:
            raise _refused(error) from error

    async def _set_own(self, changes: ChangeSet, session: AsyncClientSession | None) -> None:
        """Writes what members have set for themselves."""
        for user_id, until_ms in changes.muted_until.items():
            await self._set_own_field(changes, user_id, "muted", DatetimeMS(until_ms) if until_ms else None, session)
        for user_id, pinned in changes.pinned.items():
            await self._set_own_field(changes, user_id, "pin", True if pinned else None, session)

    async def _set_own_field(
        self, changes: ChangeSet, user_id: str, name: str, value: object, session: AsyncClientSession | None
    ) -> None:
        update = {"$unset": {name: 1}} if value is None else {"$set": {name: value}}
        key = documents.member_id(changes.change.conversation_id, user_id)
        await self._members.update_one({"_id": key}, update, session=session)

    async def _write_change(self, session: AsyncClientSession, changes: ChangeSet) -> None:
        change = changes.change
        conversation_id = change.conversation_id
        if changes.message is not None:
            await self._log.replace_one(
                {"_id": changes.message.message_id}, documents.from_message(changes.message), session=session
            )
            await self._keep_version(session, changes.message, changes.replaced)
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
        await self._set_own(changes, session)
        await self._log.insert_one(documents.from_change(change), session=session)

    async def _keep_version(self, session: AsyncClientSession, message: Message, replaced: Version | None) -> None:
        if message.delete_ms:
            await self._versions.delete_many({"m": message.message_id}, session=session)
        elif replaced is not None:
            await self._versions.insert_one(documents.from_version(message, replaced), session=session)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncClientSession]:
        """Yields a session for a transaction. The driver pools sessions; each is recorded before its first use."""
        async with self._client.start_session() as session:
            session_id = bytes(session.session_id["id"])
            if session_id not in self._recorded_sessions:
                await self._replicas.update_one({"_id": self._lease_id}, {"$addToSet": {"sessions": session_id}})
                self._recorded_sessions.add(session_id)
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
        document = await self._conversations.find_one({"_id": conversation_id}, {"o": 1}, session=session)
        return str(document["o"]) if document else ""

    # Conversations

    async def create_conversation(self, conversation: Conversation, members: Sequence[Member], change: Change) -> bool:
        """Creates a conversation with its first log entry in one transaction.

        Returns:
            False if the conversation exists already.

        Raises:
            RefusedError: the server rejected the write.
        """

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

    async def write_summaries(self, heads: Mapping[str, Head]) -> None:
        """Records how far conversations have been published. A summary only moves forward."""
        updates = [
            UpdateOne({"_id": conversation_id, "rev": {"$lt": head.rev}}, {"$set": documents.head_fields(head)})
            for conversation_id, head in heads.items()
        ]
        if updates:
            await self._conversations.bulk_write(updates, ordered=False)

    # Members

    async def advance_marks(self, marks: Mapping[MemberKey, ReadMark], now_ms: int) -> None:
        """Advances read marks; keys that are no members are ignored.

        A read_seq of 0 advances the delivered mark alone. Any other also sets the time of reading to `now_ms`; both set
        that of delivery.
        """
        now = DatetimeMS(now_ms)
        updates = [
            UpdateOne(
                {"_id": documents.member_id(*key)},
                {
                    "$max": {"delivered": delivered, "delivered_at": now}
                    | ({"read": read, "read_at": now} if read else {})
                },
            )
            for key, (read, delivered) in marks.items()
        ]
        if updates:
            await self._members.bulk_write(updates, ordered=False)

    # Intents and leases

    async def write_intents(self, lease_id: str, conversation_ids: Sequence[str], generation: int) -> None:
        """Records that a replica is about to write to conversations."""
        updates = [
            UpdateOne({"_id": f"{lease_id}/{c}"}, {"$set": {"c": c, "p": lease_id, "g": generation}}, upsert=True)
            for c in conversation_ids
        ]
        await self._intents.bulk_write(updates, ordered=False)

    async def remove_intents(self, lease_id: str, generations: Mapping[str, int]) -> None:
        """Removes intents, except those that were recorded again since, under another generation."""
        deletes = [DeleteOne({"_id": f"{lease_id}/{c}", "g": generation}) for c, generation in generations.items()]
        if deletes:
            await self._intents.bulk_write(deletes, ordered=False)

    async def create_lease(self, lease_id: str, replica: str) -> None:
        """Creates a lease, which becomes this store's own, and declares the replica's earlier leases dead."""
        self._lease_id = lease_id
        lease = {"replica": replica, "dead": False, "sessions": list(self._recorded_sessions)}
        await self._replicas.update_one({"_id": lease_id}, {"$set": lease, "$currentDate": {"beat": True}}, upsert=True)
        await self._replicas.update_many({"replica": replica, "_id": {"$ne": lease_id}}, {"$set": {"dead": True}})

    async def create_dead_lease(self, lease_id: str) -> None:
        """Creates a lease that is declared dead, so that the first replica that starts takes over its intents."""
        lease = {"replica": lease_id, "dead": True, "sessions": []}
        await self._replicas.update_one({"_id": lease_id}, {"$set": lease, "$currentDate": {"beat": True}}, upsert=True)

    async def renew_lease(self, lease_id: str) -> bool:
        """Renews a lease; returns False if it was declared dead, which is final."""
        result = await self._replicas.update_one({"_id": lease_id, "dead": False}, {"$currentDate": {"beat": True}})
        return result.matched_count == 1

    async def expire_leases(self, timeout_seconds: float) -> list[str]:
        """Declares leases dead that were not renewed in time, by the database's clock; returns all dead leases."""
        limit = {"$subtract": ["$$NOW", int(timeout_seconds * 1_000)]}
        silent = {"dead": False, "$expr": {"$lt": ["$beat", limit]}}
        await self._replicas.update_many(silent, {"$set": {"dead": True}})
        return [document["_id"] async for document in self._replicas.find({"dead": True}, {"_id": 1})]

    async def kill_sessions_of(self, lease_id: str) -> None:
        """Kills the sessions of a lease, which aborts the transactions that it left open."""
        document = await self._replicas.find_one({"_id": lease_id}, {"sessions": 1})
        sessions = [{"id": Binary(session_id, UUID_SUBTYPE)} for session_id in (document or {}).get("sessions", ())]
        if sessions:
            await self._client.admin.command("killSessions", sessions)

    async def delete_lease(self, lease_id: str) -> None:
        """Deletes a lease that leaves no work, and intents that it could not remove."""
        await self._intents.delete_many({"p": lease_id})
        await self._replicas.delete_one({"_id": lease_id})

    # Republishing after a restore

    async def reset_summary(self, conversation_id: str, head: Head) -> None:
        """Replaces a summary, also by an earlier one. Only for a store that no replica uses."""
        await self._conversations.update_one({"_id": conversation_id}, {"$set": documents.head_fields(head)})
