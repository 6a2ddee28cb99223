"""Writes conversations' summaries behind the messages, many at once: how far each was published, and what senders read.

Some at a time, all along: what is written in one go is in the way of the messages that come meanwhile.

A summary's rev means "everything up to here was published": see services.chat.intents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from chassis.process.logs import logger
from services.chat.conversation_cache import ConversationCache, ConversationState
from services.chat.domain import MemberKey, ReadMark
from services.chat.intents import WriteIntents
from services.chat.read_marks import Marks
from services.chat.store import ChatStore, StoreError

_SETTLE_SECONDS: Final = 5.0
_MOST_PARTS: Final = 10
_LEAST_IN_A_PART: Final = 20

_log = logger("summaries")


class Summaries:
    """Writes the summaries of one replica's conversations."""

    def __init__(
        self,
        store: ChatStore,
        states: ConversationCache,
        intents: WriteIntents,
        marks: Marks,
        *,
        interval_seconds: float,
    ) -> None:
        self._store = store
        self._states = states
        self._intents = intents
        self._marks = marks
        self._interval_seconds = interval_seconds

    async def run(self) -> None:
        """Writes for ever; to be supervised."""
        rounds = 0
        while True:
            await self._write_in_parts(self._states.dirty())
            rounds += 1
            if rounds * self._interval_seconds >= _SETTLE_SECONDS:
                rounds = 0
                self._states.settle()

    async def _write_in_parts(self, dirty: Sequence[ConversationState]) -> None:
        """Spreads the work over the interval."""
        parts = max(1, min(_MOST_PARTS, len(dirty) // _LEAST_IN_A_PART))
        for part in range(parts):
            await asyncio.sleep(self._interval_seconds / parts)
            try:
                await self._write(dirty[part::parts])
            except StoreError as error:
                _log.warning("summaries_failed", error=type(error).__name__)

    async def write(self) -> None:
        """Writes all of them now."""
        await self._write(self._states.dirty())

    async def _write(self, dirty: Sequence[ConversationState]) -> None:
        """Writes the summaries that are behind, and takes back the intents of conversations that rest since.

        The heads are picked before the marks are moved: no summary says more than the marks of its senders do.
        """
        resting = [state for state in dirty if _rests(state)]
        behind = {state: state.published for state in dirty if state.published.rev > state.summarized_rev}
        await self._move_senders([state for state in dirty if state.sent])
        await self._store.write_summaries({s.conversation.conversation_id: head for s, head in behind.items()})
        for state, head in behind.items():
            state.summarized_rev = max(state.summarized_rev, head.rev)
        await self._intents.drop(state for state in resting if _rests(state))

    async def _move_senders(self, states: list[ConversationState]) -> None:
        """Whoever sends a message has read up to it.

        That is told also where it is written already: maybe by a replica that died before it told.
        """
        sent = [(state, dict(state.sent)) for state in states]
        marks = {
            MemberKey(state.conversation.conversation_id, user_id): ReadMark(seq, seq)
            for state, seqs in sent
            for user_id, seq in seqs.items()
        }
        await self._marks.move(marks, anyway=True)
        for state, seqs in sent:
            for user_id, seq in seqs.items():
                if state.sent.get(user_id) == seq:
                    del state.sent[user_id]


def _rests(state: ConversationState) -> bool:
    done = state.summarized_rev >= state.published.rev >= state.head.rev
    return done and not state.busy and not state.sent
