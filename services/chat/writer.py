"""A writer of the committer: sequences messages and inserts many at once, and writes changes in between.

Messages that arrive during a write share the next one: the higher the load, the less each message costs. Inserts are
ordered, so a crash leaves a prefix of what was sent.

Sequencing is optimistic: it starts from the head that this replica knows, and the store's fence detects conflicts.
After a conflict the writer reloads the head and the members and sequences again, so a stale membership lets no message
in. Conversations with a conflict go behind the others, so that they delay no other.

After an error that leaves the outcome unknown, the messages are tried again until their ids tell whether they were
written. No outcome stays unknown: a message that lands after its replica stopped looking would never be published.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client import Counter, Histogram

from chassis.errors import AbortedError, AppError, InvalidArgumentError, UnavailableError, unexpected_error
from chassis.process.logs import logger
from chassis.process.metrics import QUICK
from chassis.process.tracing import spanning
from services.chat import events
from services.chat.change_writer import CONFLICTS, back_off, record_unknown_outcome
from services.chat.conversation_cache import ConversationCache, ConversationState
from services.chat.domain import Head, Message, advance
from services.chat.errors import not_a_member, not_found
from services.chat.intents import WriteIntents
from services.chat.publisher import Publisher
from services.chat.sequencing import Draft, assign_seq
from services.chat.store import BatchStoppedError, ChatStore, StoreError
from services.chat.write_queue import ChangeItem, Outcome, SendItem, WriteQueue

MAX_BATCH: Final = 1_000
_ATTEMPTS: Final = 24

BATCH_SIZE = Histogram(
    "parley_chat_commit_batch_messages", "Messages in one insert.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
)
COMMIT_SECONDS = Histogram(
    "parley_chat_commit_seconds", "Duration of one insert into the conversation log.", buckets=QUICK
)
COMMITTED = Counter("parley_chat_messages_total", "Messages committed.")
_log = logger("commit")

States = Mapping[str, ConversationState]
"""Pinned states by conversation id."""


@dataclass(slots=True)
class _Sequenced:
    """A message ready to be written, and the sends that it answers: a batch may contain a message twice."""

    message: Message
    state: ConversationState
    sends: list[SendItem] = field(default_factory=list)


class Writer:
    """A writer, with one write in flight.

    Args:
        queue: the pending items, shared with other writers.
        store, cache, intents, publisher: the collaborators.
        now_ms: returns the time, in Unix ms.
        done: called with the number of items that were completed.
    """

    def __init__(
        self,
        queue: WriteQueue,
        *,
        store: ChatStore,
        cache: ConversationCache,
        intents: WriteIntents,
        publisher: Publisher,
        now_ms: Callable[[], int],
        done: Callable[[int], None],
    ) -> None:
        self._queue = queue
        self._store = store
        self._cache = cache
        self._intents = intents
        self._publisher = publisher
        self._now_ms = now_ms
        self._done = done
        self._setbacks = 0

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            batch = await self._queue.take(MAX_BATCH)
            if batch.change is not None:
                await _change(batch.change)
                self._queue.release(batch)
                self._done(1)
                continue
            await self._send(batch.sends)
            unsent = [send for send in batch.sends if not send.completed]
            await self._pause_after(setback=len(unsent) == len(batch.sends))
            self._queue.release(batch, unsent)
            self._done(len(batch.sends) - len(unsent))

    async def _pause_after(self, *, setback: bool) -> None:
        self._setbacks = self._setbacks + 1 if setback else 0
        if setback:
            await back_off(self._setbacks)

    async def _send(self, sends: Sequence[SendItem]) -> None:
        """Makes one attempt. Fails sends after too many attempts, unless they may have been written."""
        failure: AppError = AbortedError(
            "CONTENDED", "too many concurrent writes to this conversation", retry_after_ms=200
        )
        unknown = [send for send in sends if send.unknown_outcomes]
        try:
            conversation_ids = {send.draft.conversation_id for send in sends}
            async with self._cache.acquire(conversation_ids, refresh=bool(unknown)) as states:
                await self._complete_written(unknown, states)
                await self._attempt(sends, states)
        except StoreError as error:
            record_unknown_outcome(error)
            failure = UnavailableError("STORE_UNAVAILABLE", "the message could not be stored", retry_after_ms=1_000)
        except Exception as error:  # fails the sends, not the writer
            _fail(sends, error)
        for send in sends:
            if not send.completed:
                send.attempts += 1
                if send.attempts >= _ATTEMPTS and not send.unknown_outcomes:
                    _complete(send, failure)

    async def _attempt(self, sends: Sequence[SendItem], states: States) -> None:
        await self._check_replies(sends)
        await self._check_members(sends, states)
        sequenced = self._sequence([send for send in sends if not send.completed], states)
        if not sequenced:
            return
        await self._intents.ensure({entry.state for entry in sequenced})
        try:
            await self._insert(sequenced)
        except BatchStoppedError as stop:
            self._finish(sequenced[: stop.inserted])
            await self._resolve(sequenced[stop.inserted :], known=stop.known)
        except BaseException:
            self._mark_unknown(sequenced)
            raise
        else:
            self._finish(sequenced)

    async def _insert(self, sequenced: Sequence[_Sequenced]) -> None:
        traces = (send.trace for entry in sequenced for send in entry.sends)
        with spanning("commit", traces, messages=len(sequenced)) as exemplar:
            began = time.perf_counter()
            try:
                await self._store.insert_messages([entry.message for entry in sequenced])
            finally:
                COMMIT_SECONDS.observe(time.perf_counter() - began, exemplar)

    def _mark_unknown(self, sequenced: Sequence[_Sequenced]) -> None:
        """Records that each of these may have been written, or may still be."""
        for entry in sequenced:
            for send in entry.sends:
                send.unknown_outcomes += 1
            entry.state.observe_rev(entry.message.rev)
            self._publisher.mark_dirty(entry.state)

    async def _complete_written(self, unknown: Sequence[SendItem], states: States) -> None:
        """Completes sends that were written after all, maybe since the states were loaded."""
        written = await self._store.messages_by_id([s.draft.message_id for s in unknown]) if unknown else {}
        for send in unknown:
            if message := written.get(send.draft.message_id):
                self._publisher.mark_dirty(states[message.conversation_id])
                _complete(send, message)

    async def _check_replies(self, pending: Sequence[SendItem]) -> None:
        """Fails replies to messages that are not in their conversation."""
        replies = [send for send in pending if send.draft.reply_to and not send.reply_checked]
        if not replies:
            return
        messages = await self._store.messages_by_id([send.draft.reply_to for send in replies])
        for send in replies:
            answered = messages.get(send.draft.reply_to)
            send.reply_checked = answered is not None and answered.conversation_id == send.draft.conversation_id
            if not send.reply_checked:
                fields = {"replyTo": "must be a message of this conversation"}
                _complete(send, InvalidArgumentError("REPLY_NOT_FOUND", "no such message to reply to", fields=fields))

    async def _check_members(self, pending: Sequence[SendItem], states: States) -> None:
        """Fails sends by non-members, on a fresh state: a stale one may lack a new member."""
        unknown = [send for send in pending if not send.completed and _rejection(send.draft, states) is not None]
        if unknown:
            async with self._cache.acquire({send.draft.conversation_id for send in unknown}, refresh=True) as fresh:
                for send in unknown:
                    if rejection := _rejection(send.draft, fresh):
                        _complete(send, rejection)

    def _sequence(self, sends: Iterable[SendItem], states: States) -> list[_Sequenced]:
        now_ms = self._now_ms()
        sequenced: dict[str, _Sequenced] = {}
        heads: dict[str, Head] = {}
        for send in sends:
            draft = send.draft
            entry = sequenced.get(draft.message_id)
            if entry is None:
                state = states.get(draft.conversation_id)
                if state is None:
                    continue  # created since the states were loaded; the next attempt has it
                head = heads.get(draft.conversation_id, state.head)
                mentions = draft.mentions and tuple(user for user in draft.mentions if user in state.members)
                entry = sequenced[draft.message_id] = _Sequenced(assign_seq(draft, mentions, head, now_ms), state)
                heads[draft.conversation_id] = advance(head, entry.message)
            entry.sends.append(send)
        return list(sequenced.values())

    def _finish(self, written: Sequence[_Sequenced]) -> None:
        """Applies durable messages to the states, queues their events and completes their sends."""
        for entry in written:
            message, state, sends = entry.message, entry.state, entry.sends
            head = advance(state.head, message)
            if message.sent_rev > state.head.rev:  # else a load has seen it already
                state.head = head
            state.record_sender(message)
            event = events.message_created(state.conversation, message, state.members, origin=sends[0].draft.origin)
            self._publisher.put(event, state, head, sends[0].trace)
            for send in sends:
                _complete(send, message)
        COMMITTED.inc(len(written))
        BATCH_SIZE.observe(len(written))

    async def _resolve(self, rest: Sequence[_Sequenced], *, known: bool) -> None:
        """Handles a collision: completes the messages that exist already, or reloads a stale state."""
        if not known:
            CONFLICTS.inc()
            await self._cache.refresh({rest[0].message.conversation_id})
            return
        existing = await self._store.messages_by_id([entry.message.message_id for entry in rest])
        stale = set()
        for entry in rest:
            first = existing.get(entry.message.message_id)
            if first is not None:
                if first.sent_rev > entry.state.head.rev:
                    stale.add(first.conversation_id)
                for send in entry.sends:
                    _complete(send, first)
        if stale:
            await self._cache.refresh(stale)


async def _change(item: ChangeItem[Any]) -> None:
    try:
        outcome = await item.make()
    except Exception as error:  # fails the change, not the writer
        if not item.done.done():
            item.done.set_exception(error)
    else:
        if not item.done.done():
            item.done.set_result(outcome)


def _rejection(draft: Draft, states: States) -> AppError | None:
    state = states.get(draft.conversation_id)
    if state is None or state.conversation.organization_id != draft.organization_id:
        return not_found()
    return None if draft.sender_id in state.members else not_a_member()


def _complete(send: SendItem, outcome: Outcome) -> None:
    if not send.completed:
        send.completed = True
        send.complete(outcome)


def _fail(sends: Iterable[SendItem], error: Exception) -> None:
    outcome = unexpected_error(_log, "commit_failed", error)
    for send in sends:
        _complete(send, outcome)
