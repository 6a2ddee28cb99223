"""A writer of the committer: numbers messages and writes them, many in one insert; makes changes in between.

What arrives while it writes waits, and goes together in the next write: the more there is to do, the less each message
costs. Inserts are ordered, so a crash leaves a prefix of what was sent.

Numbering is optimistic: from the head that this replica knows, against the store's fence. Whoever loses reloads the
head and the members and numbers again, so nothing is let in on the strength of a stale membership. Conversations that
lost go behind the others: they hold nobody up.

After an error that leaves open what was written, the messages are tried again until it is known; their ids tell. So
nothing is left in doubt: what landed after everybody had stopped looking would never be published.
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
from services.chat.change_writer import FENCED, note_unknown, pause
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
COMMIT_SECONDS = Histogram("parley_chat_commit_seconds", "How long the store took for one insert.", buckets=QUICK)
COMMITTED = Counter("parley_chat_messages_total", "Messages committed.")
_log = logger("commit")

Held = Mapping[str, ConversationState]
"""States that are kept for as long as they are worked with, by conversation."""


@dataclass(slots=True)
class _Numbered:
    """A message that is ready to be written, and the sends it answers: the same one may stand in a batch twice."""

    message: Message
    state: ConversationState
    sends: list[SendItem] = field(default_factory=list)


class Writer:
    """One writer: one write in flight.

    Args:
        mailboxes: what waits; shared with other writers.
        store, states, intents, publisher: what it works with.
        now_ms: the time, as Unix milliseconds.
        done: told how many items were dealt with.
    """

    def __init__(
        self,
        mailboxes: WriteQueue,
        *,
        store: ChatStore,
        states: ConversationCache,
        intents: WriteIntents,
        publisher: Publisher,
        now_ms: Callable[[], int],
        done: Callable[[int], None],
    ) -> None:
        self._mailboxes = mailboxes
        self._store = store
        self._states = states
        self._intents = intents
        self._publisher = publisher
        self._now_ms = now_ms
        self._done = done
        self._setbacks = 0

    async def run(self) -> None:
        """Works for ever; to be supervised."""
        while True:
            taken = await self._mailboxes.take(MAX_BATCH)
            if taken.change is not None:
                await _change(taken.change)
                self._mailboxes.give_back(taken)
                self._done(1)
                continue
            await self._send(taken.sends)
            left = [send for send in taken.sends if not send.settled]
            await self._pause_after(setback=len(left) == len(taken.sends))
            self._mailboxes.give_back(taken, left)
            self._done(len(taken.sends) - len(left))

    async def _pause_after(self, *, setback: bool) -> None:
        self._setbacks = self._setbacks + 1 if setback else 0
        if setback:
            await pause(self._setbacks)

    async def _send(self, sends: Sequence[SendItem]) -> None:
        """Tries once; gives up on what was left over too often, unless it may have been written."""
        refusal: AppError = AbortedError("CONTENDED", "others write to this conversation too fast", retry_after_ms=200)
        doubtful = [send for send in sends if send.doubts]
        try:
            conversation_ids = {send.draft.conversation_id for send in sends}
            async with self._states.holding(conversation_ids, anew=bool(doubtful)) as states:
                await self._settle_written(doubtful, states)
                await self._attempt(sends, states)
        except StoreError as error:
            note_unknown(error)
            refusal = UnavailableError("STORE_UNAVAILABLE", "the message could not be stored", retry_after_ms=1_000)
        except Exception as error:  # the callers', whatever it is: it doesn't end the writer
            _fail(sends, error)
        for send in sends:
            if not send.settled:
                send.attempts += 1
                if send.attempts >= _ATTEMPTS and not send.doubts:
                    _settle(send, refusal)

    async def _attempt(self, sends: Sequence[SendItem], states: Held) -> None:
        await self._check_replies(sends)
        await self._check_members(sends, states)
        numbered = self._number([send for send in sends if not send.settled], states)
        if not numbered:
            return
        await self._intents.cover({entry.state for entry in numbered})
        try:
            await self._insert(numbered)
        except BatchStoppedError as stop:
            self._finish(numbered[: stop.inserted])
            await self._resolve(numbered[stop.inserted :], known=stop.known)
        except BaseException:
            self._doubt(numbered)
            raise
        else:
            self._finish(numbered)

    async def _insert(self, numbered: Sequence[_Numbered]) -> None:
        traces = (send.trace for entry in numbered for send in entry.sends)
        with spanning("commit", traces, messages=len(numbered)) as exemplar:
            began = time.perf_counter()
            try:
                await self._store.insert_messages([entry.message for entry in numbered])
            finally:
                COMMIT_SECONDS.observe(time.perf_counter() - began, exemplar)

    def _doubt(self, numbered: Sequence[_Numbered]) -> None:
        """Any of these may have been written, or may yet be."""
        for entry in numbered:
            for send in entry.sends:
                send.doubts += 1
            entry.state.hear_of(entry.message.rev)
            self._publisher.mark_gap(entry.state)

    async def _settle_written(self, doubtful: Sequence[SendItem], states: Held) -> None:
        """Settles what turns out to have been written; it may be so only since the states were loaded."""
        written = await self._store.messages_by_id([s.draft.message_id for s in doubtful]) if doubtful else {}
        for send in doubtful:
            if message := written.get(send.draft.message_id):
                self._publisher.mark_gap(states[message.conversation_id])
                _settle(send, message)

    async def _check_replies(self, pending: Sequence[SendItem]) -> None:
        """Refuses answers to messages that are not in their conversation."""
        replies = [send for send in pending if send.draft.reply_to and not send.reply_checked]
        if not replies:
            return
        found = await self._store.messages_by_id([send.draft.reply_to for send in replies])
        for send in replies:
            answered = found.get(send.draft.reply_to)
            send.reply_checked = answered is not None and answered.conversation_id == send.draft.conversation_id
            if not send.reply_checked:
                fields = {"replyTo": "is no message of this conversation"}
                _settle(send, InvalidArgumentError("REPLY_NOT_FOUND", "there is no message to answer", fields=fields))

    async def _check_members(self, pending: Sequence[SendItem], states: Held) -> None:
        """Refuses what may not be sent, on a state that is fresh: a stale one may not know a new member."""
        doubtful = [send for send in pending if not send.settled and _refusal(send.draft, states) is not None]
        if doubtful:
            async with self._states.holding({send.draft.conversation_id for send in doubtful}, anew=True) as fresh:
                for send in doubtful:
                    if refusal := _refusal(send.draft, fresh):
                        _settle(send, refusal)

    def _number(self, sends: Iterable[SendItem], states: Held) -> list[_Numbered]:
        now_ms = self._now_ms()
        numbered: dict[str, _Numbered] = {}
        heads: dict[str, Head] = {}
        for send in sends:
            draft = send.draft
            entry = numbered.get(draft.message_id)
            if entry is None:
                state = states.get(draft.conversation_id)
                if state is None:
                    continue  # made since the states were loaded; the next attempt has it
                head = heads.get(draft.conversation_id, state.head)
                mentions = draft.mentions and tuple(user for user in draft.mentions if user in state.members)
                entry = numbered[draft.message_id] = _Numbered(assign_seq(draft, mentions, head, now_ms), state)
                heads[draft.conversation_id] = advance(head, entry.message)
            entry.sends.append(send)
        return list(numbered.values())

    def _finish(self, written: Sequence[_Numbered]) -> None:
        """Makes known what is durable: to the state, to the publisher, to the senders."""
        for entry in written:
            message, state, sends = entry.message, entry.state, entry.sends
            head = advance(state.head, message)
            if message.position > state.head.rev:  # else a load has seen it already
                state.head = head
            state.note_sender(message)
            event = events.message_created(state.conversation, message, state.members, origin=sends[0].draft.origin)
            self._publisher.put(event, state, head, sends[0].trace)
            for send in sends:
                _settle(send, message)
        COMMITTED.inc(len(written))
        BATCH_SIZE.observe(len(written))

    async def _resolve(self, rest: Sequence[_Numbered], *, known: bool) -> None:
        """Deals with a collision: settles the messages that are there already, or reloads what was stale."""
        if not known:
            FENCED.inc()
            await self._states.refresh({rest[0].message.conversation_id})
            return
        existing = await self._store.messages_by_id([entry.message.message_id for entry in rest])
        stale = set()
        for entry in rest:
            first = existing.get(entry.message.message_id)
            if first is not None:
                if first.position > entry.state.head.rev:
                    stale.add(first.conversation_id)
                for send in entry.sends:
                    _settle(send, first)
        if stale:
            await self._states.refresh(stale)


async def _change(item: ChangeItem[Any]) -> None:
    try:
        outcome = await item.make()
    except Exception as error:  # the caller's, whatever it is: it doesn't end the writer
        if not item.done.done():
            item.done.set_exception(error)
    else:
        if not item.done.done():
            item.done.set_result(outcome)


def _refusal(draft: Draft, states: Held) -> AppError | None:
    state = states.get(draft.conversation_id)
    if state is None or state.conversation.organization_id != draft.organization_id:
        return not_found()
    return None if draft.sender_id in state.members else not_a_member()


def _settle(send: SendItem, outcome: Outcome) -> None:
    if not send.settled:
        send.settled = True
        send.settle(outcome)


def _fail(sends: Iterable[SendItem], error: Exception) -> None:
    outcome = unexpected_error(_log, "commit_failed", error)
    for send in sends:
        _settle(send, outcome)
