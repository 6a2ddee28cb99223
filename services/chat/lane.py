"""A lane of the committer: numbers messages and changes, and writes them, many messages in one insert.

What arrives while a lane writes waits, and goes together in the next write: the more there is to do, the less each
message costs. Inserts are ordered, so a crash leaves a prefix of what was sent.

Numbering is optimistic: from the head that this replica knows, against the store's fence. Whoever loses reloads the
head and the members and numbers again, so nothing is let in on the strength of a stale membership. After an error
that leaves open what was written, the same happens, and the message's id tells a repeat from a new message.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Counter, Histogram

from chassis.errors import AbortedError, AppError, InternalError, InvalidArgumentError, UnavailableError
from chassis.logs import logger
from services.chat import events
from services.chat.domain import ChangeSet, Head, Message, advance
from services.chat.intents import Intents
from services.chat.numbering import Draft, number
from services.chat.publish import Publisher
from services.chat.refusals import not_a_member, not_found
from services.chat.state import ConversationState, States
from services.chat.store import BatchStoppedError, ChatStore, FenceError, StoreError

MAX_BATCH: Final = 1_000
_ATTEMPTS: Final = 8
_BACKOFF_SECONDS: Final = (0.005, 0.5)

BATCH_SIZE = Histogram(
    "parley_chat_commit_batch_messages", "Messages in one insert.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
)
COMMITTED = Counter("parley_chat_messages_total", "Messages committed.")
FENCED = Counter("parley_chat_commit_fenced_total", "Writes that lost to another and were numbered again.")
UNKNOWN = Counter("parley_chat_commit_unknown_total", "Writes whose outcome was unknown at first.")

_log = logger("commit")

Outcome = Message | AppError
"""Where a draft landed, or why it did not."""

Held = Mapping[str, ConversationState]
"""States that are kept for as long as they are worked with, by conversation."""

Decide = Callable[[ConversationState], Awaitable[ChangeSet | None]]
"""Decides on a change: None when nothing is to be done, AppError when it may not be.

Called again after each lost race, so what it decided on is what is true when the change is written.
"""


@dataclass(slots=True)
class SendItem:
    """A message to be sent. `settle` is called once."""

    draft: Draft
    settle: Callable[[Outcome], None]
    settled: bool = False
    reply_checked: bool = False


@dataclass(slots=True)
class ChangeItem:
    """A change to be made."""

    conversation_id: str
    organization_id: str
    decide: Decide
    done: asyncio.Future[ChangeSet | None]


@dataclass(slots=True)
class _Numbered:
    """A message that is ready to be written, and the sends it answers: the same one may stand in a batch twice."""

    message: Message
    state: ConversationState
    sends: list[SendItem] = field(default_factory=list)


class Lane:
    """One lane.

    Args:
        store, states, intents, publisher: what it works with.
        now_ms: the time, as Unix milliseconds.
        done: told how many items were dealt with.
    """

    def __init__(
        self,
        *,
        store: ChatStore,
        states: States,
        intents: Intents,
        publisher: Publisher,
        now_ms: Callable[[], int],
        done: Callable[[int], None],
    ) -> None:
        self._store = store
        self._states = states
        self._intents = intents
        self._publisher = publisher
        self._now_ms = now_ms
        self._done = done
        self._queue: deque[SendItem | ChangeItem] = deque()
        self._wake = asyncio.Event()

    def put(self, item: SendItem | ChangeItem) -> None:
        """Queues an item; they are dealt with in order."""
        self._queue.append(item)
        self._wake.set()

    async def run(self) -> None:
        """Works for ever; to be supervised."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._work()

    async def _work(self) -> None:
        """Makes the change that is first in line, or sends all the messages up to the next change."""
        if isinstance(first := self._queue[0], ChangeItem):
            self._queue.popleft()
            await self._change(first)
            self._done(1)
            return
        sends: list[SendItem] = []
        while self._queue and len(sends) < MAX_BATCH and isinstance(item := self._queue[0], SendItem):
            sends.append(item)
            self._queue.popleft()
        try:
            await self._send(sends)
        except Exception as error:  # the callers', whatever it is: it doesn't end the lane
            _fail(sends, error)
        self._done(len(sends))

    # Messages

    async def _send(self, sends: Sequence[SendItem]) -> None:
        """Tries until every message is settled; gives up on what is left after some attempts without progress."""
        pending, attempts, unknown = sends, 0, False
        while pending and attempts < _ATTEMPTS:
            conversation_ids = {send.draft.conversation_id for send in pending}
            try:
                async with self._states.holding(conversation_ids, anew=unknown) as states:
                    unknown = False
                    await self._attempt(pending, states)
            except StoreError as error:
                unknown = True
                UNKNOWN.inc()
                _log.warning("commit_outcome_unknown", messages=len(pending), error=type(error).__name__)
                await _pause(attempts)
            left = [send for send in pending if not send.settled]
            attempts = 0 if len(left) < len(pending) else attempts + 1
            pending = left
        for send in pending:
            _settle(
                send, UnavailableError("STORE_UNAVAILABLE", "the message could not be stored", retry_after_ms=1_000)
            )

    async def _attempt(self, pending: Sequence[SendItem], states: Held) -> None:
        await self._check_replies(pending)
        await self._check_members(pending, states)
        numbered = self._number([send for send in pending if not send.settled], states)
        if not numbered:
            return
        await self._intents.cover({entry.state for entry in numbered})
        try:
            await self._store.insert_messages([entry.message for entry in numbered])
        except BatchStoppedError as stop:
            self._finish(numbered[: stop.inserted])
            await self._resolve(numbered[stop.inserted :], known=stop.known)
        else:
            self._finish(numbered)

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
                draft.mentions = tuple(user for user in draft.mentions if user in state.members)
                entry = numbered[draft.message_id] = _Numbered(number(draft, head, now_ms), state)
                heads[draft.conversation_id] = advance(head, entry.message)
            entry.sends.append(send)
        return list(numbered.values())

    def _finish(self, written: Sequence[_Numbered]) -> None:
        """Makes known what is durable: to the state, to the publisher, to the senders."""
        for message, state, sends in ((entry.message, entry.state, entry.sends) for entry in written):
            head = advance(state.head, message)
            if message.position > state.head.rev:  # else a load has seen it already
                state.head = head
            state.note_senders((message,))
            draft = sends[0].draft
            event = events.message_created(
                state.conversation, message, state.members, sender_name=draft.sender_name, origin=draft.origin
            )
            self._publisher.put(event, state, head)
            for send in sends:
                _settle(send, message)
        COMMITTED.inc(len(written))
        BATCH_SIZE.observe(len(written))

    async def _resolve(self, rest: Sequence[_Numbered], *, known: bool) -> None:
        """Deals with a collision: settles the messages that are there already, or reloads what was stale."""
        if not known:
            FENCED.inc()
            await self._states.refresh({entry.message.conversation_id for entry in rest})
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

    # Changes

    async def _change(self, item: ChangeItem) -> None:
        try:
            outcome = await self._decide_and_write(item)
        except Exception as error:  # the caller's, whatever it is: it doesn't end the lane
            if not item.done.done():
                item.done.set_exception(error)
        else:
            if not item.done.done():
                item.done.set_result(outcome)

    async def _decide_and_write(self, item: ChangeItem) -> ChangeSet | None:
        for attempt in range(_ATTEMPTS):
            async with self._states.holding([item.conversation_id], anew=True) as states:
                state = states.get(item.conversation_id)
                if state is None or state.conversation.organization_id != item.organization_id:
                    raise not_found()
                changes = await item.decide(state)
                if changes is None:
                    return None
                try:
                    await self._intents.cover([state])
                    await self._store.commit_change(changes)
                except FenceError:
                    FENCED.inc()
                    await _pause(attempt)
                    continue
                finally:
                    state.hear_of(changes.change.rev)  # whatever became of it, the next use looks
                    self._publisher.mark_gap(state)
            return changes
        raise AbortedError("CONTENDED", "others are changing this conversation too fast", retry_after_ms=200)


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
    incident = secrets.token_hex(8)
    _log.error("commit_failed", incident=incident, exc_info=error)
    for send in sends:
        _settle(send, InternalError("INTERNAL", f"an unexpected error; incident {incident}"))


async def _pause(attempt: int) -> None:
    least, most = _BACKOFF_SECONDS
    await asyncio.sleep(random.uniform(0, min(most, least * 2.0**attempt)))  # noqa: S311  # jitter
