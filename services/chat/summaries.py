"""Writes conversations' summaries in the background: how far each is published, and what senders have read.

The work is spread over time, because one large write would delay the messages that arrive meanwhile.

The rev of a summary means "everything up to here is published"; see services.chat.intents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from chassis.process.logs import logger
from services.chat.conversation_cache import ConversationCache, ConversationState
from services.chat.domain import MemberKey, ReadMark
from services.chat.intents import WriteIntents
from services.chat.read_marks import ReadMarks
from services.chat.store import ChatStore, StoreError

_REPLAY_POINT_SECONDS: Final = 5.0
_MOST_PARTS: Final = 10
_LEAST_IN_A_PART: Final = 20

_log = logger("summaries")


class Summaries:
    """Writes the summaries of one replica's conversations."""

    def __init__(
        self,
        store: ChatStore,
        cache: ConversationCache,
        intents: WriteIntents,
        marks: ReadMarks,
        *,
        interval_seconds: float,
    ) -> None:
        self._store = store
        self._cache = cache
        self._intents = intents
        self._marks = marks
        self._interval_seconds = interval_seconds

    async def run(self) -> None:
        """Runs until cancelled."""
        rounds = 0
        while True:
            await self._write_in_parts(self._cache.unfinished())
            rounds += 1
            if rounds * self._interval_seconds >= _REPLAY_POINT_SECONDS:
                rounds = 0
                self._cache.advance_replay_points()

    async def _write_in_parts(self, dirty: Sequence[ConversationState]) -> None:
        """Spreads the writes over the interval."""
        parts = max(1, min(_MOST_PARTS, len(dirty) // _LEAST_IN_A_PART))
        for part in range(parts):
            await asyncio.sleep(self._interval_seconds / parts)
            try:
                await self._write(dirty[part::parts])
            except StoreError as error:
                _log.warning("summaries_failed", error=type(error).__name__)

    async def write(self) -> None:
        """Writes all summaries now."""
        await self._write(self._cache.unfinished())

    async def _write(self, dirty: Sequence[ConversationState]) -> None:
        """Writes the summaries that lag behind, then removes the intents of conversations that are idle.

        The heads are taken before the marks advance, so no summary is ahead of the marks of its senders.
        """
        resting = [state for state in dirty if _rests(state)]
        behind = {state: state.published for state in dirty if state.published.rev > state.summarized_rev}
        await self._advance_senders([state for state in dirty if state.sender_seqs])
        await self._store.write_summaries({s.conversation.conversation_id: head for s, head in behind.items()})
        for state, head in behind.items():
            state.summarized_rev = max(state.summarized_rev, head.rev)
        await self._intents.remove(state for state in resting if _rests(state))

    async def _advance_senders(self, states: list[ConversationState]) -> None:
        """Advances each sender's read mark to the latest message that they sent.

        Marks are published even if the store has them already: the replica that wrote them may have died before it
        published them.
        """
        sent = [(state, dict(state.sender_seqs)) for state in states]
        marks = {
            MemberKey(state.conversation.conversation_id, user_id): ReadMark(seq, seq)
            for state, seqs in sent
            for user_id, seq in seqs.items()
        }
        await self._marks.advance(marks, always_notify=True)
        for state, seqs in sent:
            for user_id, seq in seqs.items():
                if state.sender_seqs.get(user_id) == seq:
                    del state.sender_seqs[user_id]


def _rests(state: ConversationState) -> bool:
    done = state.summarized_rev >= state.published.rev >= state.head.rev
    return done and not state.pins and not state.sender_seqs
