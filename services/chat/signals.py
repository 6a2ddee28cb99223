"""Receipts and typing: small, frequent, and coalesced.

Receipts only move forward, so many of one member are as good as the last. While one write is under way the next ones
gather, and a caller is answered when its own are durable. Typing is passed on and never stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from chassis.errors import AppError
from chassis.identity import Identity
from services.chat import events
from services.chat.conversation_cache import ConversationCache, ConversationState
from services.chat.domain import MemberKey, ReadMark
from services.chat.errors import not_a_member, not_found
from services.chat.publisher import Publisher
from services.chat.read_marks import Marks
from services.chat.store import StoreError


class Signals:
    """The use cases of receipts and typing.

    Args:
        states, marks, publisher: what it works with.
    """

    def __init__(self, *, states: ConversationCache, marks: Marks, publisher: Publisher) -> None:
        self._states = states
        self._marks = marks
        self._publisher = publisher
        self._waiting: dict[MemberKey, ReadMark] = {}
        self._written: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()

    async def check(self, members: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], AppError]:
        """Which of (organization, conversation, user) may not signal, and why not."""
        asked = set(members)
        async with self._states.holding({conversation_id for _, conversation_id, _ in asked}) as states:
            doubtful = [key for key in asked if _refusal(states.get(key[1]), *key)]
        if not doubtful:
            return {}
        async with self._states.holding({key[1] for key in doubtful}, anew=True) as states:
            return {key: refusal for key in doubtful if (refusal := _refusal(states.get(key[1]), *key))}

    async def mark(self, marks: dict[MemberKey, ReadMark]) -> None:
        """Moves marks, forward only; returns when that is durable. Raises StoreError.

        Of members that were checked. A mark beyond the last message counts as the last.
        """
        await self._clamp(marks)
        for key, (read, delivered) in marks.items():
            old_read, old_delivered = self._waiting.get(key, (0, 0))
            self._waiting[key] = ReadMark(max(read, old_read), max(delivered, read, old_delivered))
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        self._wake.set()
        await asyncio.shield(self._written)

    async def _clamp(self, marks: dict[MemberKey, ReadMark]) -> None:
        async with self._states.holding({conversation_id for conversation_id, _ in marks}) as states:
            ahead = {key[0] for key, seqs in marks.items() if max(seqs) > _seq(states.get(key[0]))}
        if not ahead:
            return
        # This replica may not have heard of the latest messages.
        async with self._states.holding(ahead, anew=True) as states:
            for key, (read, delivered) in marks.items():
                if key[0] in ahead:
                    last = _seq(states.get(key[0]))
                    marks[key] = ReadMark(min(read, last), min(delivered, last))

    async def run(self) -> None:
        """Writes marks for ever; to be supervised."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            marks, self._waiting = self._waiting, {}
            written, self._written = self._written, None
            try:
                await self._marks.move(marks)
            except StoreError as error:
                if written is not None:
                    written.set_exception(error)
                    written.exception()  # seen, even when every caller has gone
                continue
            if written is not None:
                written.set_result(None)

    def typing(self, conversation_id: str, user_id: str, name: str, *, active: bool) -> None:
        """Tells the other members that a member, who was checked, is typing or has stopped."""
        state = self._states.peek(conversation_id)
        if state is not None:
            others = [member for member in state.members.values() if member.user_id != user_id]
            self._publisher.put(
                events.typing_updated(state.conversation, user_id, name, active=active, recipients=others)
            )


def _seq(state: ConversationState | None) -> int:
    return state.head.seq if state else 0


def _refusal(
    state: ConversationState | None, organization_id: str, _conversation_id: str, user_id: str
) -> AppError | None:
    if state is None or state.conversation.organization_id != organization_id:
        return not_found()
    return None if user_id in state.members else not_a_member()


def member_key(caller: Identity, conversation_id: str) -> tuple[str, str, str]:
    """What `Signals.check` asks about, for a calling user."""
    return caller.organization_id, conversation_id, caller.user_id
