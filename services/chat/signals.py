"""The use cases of receipts and typing.

Receipts only move forward, so the latest one of a member replaces the earlier ones. Those that arrive during a write
are merged into the next write; a caller gets its answer once its own receipts are durable. Typing is never stored.
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
from services.chat.read_marks import ReadMarks
from services.chat.store import StoreError


class Signals:
    """The use cases of receipts and typing.

    Args:
        cache, marks, publisher: the collaborators.
    """

    def __init__(self, *, cache: ConversationCache, marks: ReadMarks, publisher: Publisher) -> None:
        self._cache = cache
        self._marks = marks
        self._publisher = publisher
        self._waiting: dict[MemberKey, ReadMark] = {}
        self._written: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()

    async def check(self, members: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], AppError]:
        """Returns an error for each (organization, conversation, user) that may not send signals."""
        asked = set(members)
        async with self._cache.acquire({conversation_id for _, conversation_id, _ in asked}) as states:
            rejected = [key for key in asked if _rejection(states.get(key[1]), *key)]
        if not rejected:
            return {}
        async with self._cache.acquire({key[1] for key in rejected}, refresh=True) as states:
            return {key: rejection for key in rejected if (rejection := _rejection(states.get(key[1]), *key))}

    async def mark(self, marks: dict[MemberKey, ReadMark]) -> None:
        """Advances the marks of members that `check` let pass; returns when they are durable.

        A mark beyond the last message is reduced to it.

        Raises:
            StoreError: the outcome is unknown.
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
        async with self._cache.acquire({conversation_id for conversation_id, _ in marks}) as states:
            ahead = {key[0] for key, seqs in marks.items() if max(seqs) > _seq(states.get(key[0]))}
        if not ahead:
            return
        # This replica may not know the latest messages.
        async with self._cache.acquire(ahead, refresh=True) as states:
            for key, (read, delivered) in marks.items():
                if key[0] in ahead:
                    last = _seq(states.get(key[0]))
                    marks[key] = ReadMark(min(read, last), min(delivered, last))

    async def run(self) -> None:
        """Writes marks until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            marks, self._waiting = self._waiting, {}
            written, self._written = self._written, None
            try:
                await self._marks.advance(marks)
            except StoreError as error:
                if written is not None:
                    written.set_exception(error)
                    written.exception()  # marks it as retrieved, in case every caller was cancelled
                continue
            if written is not None:
                written.set_result(None)

    def typing(self, conversation_id: str, user_id: str, name: str, *, active: bool) -> None:
        """Sends the other members the typing state of a member that `check` let pass."""
        state = self._cache.peek(conversation_id)
        if state is not None:
            others = [member for member in state.members.values() if member.user_id != user_id]
            self._publisher.put(
                events.typing_updated(state.conversation, user_id, name, active=active, recipients=others)
            )


def _seq(state: ConversationState | None) -> int:
    return state.head.seq if state else 0


def _rejection(
    state: ConversationState | None, organization_id: str, _conversation_id: str, user_id: str
) -> AppError | None:
    if state is None or state.conversation.organization_id != organization_id:
        return not_found()
    return None if user_id in state.members else not_a_member()


def member_key(caller: Identity, conversation_id: str) -> tuple[str, str, str]:
    """Returns the calling user's key for `Signals.check`."""
    return caller.organization_id, conversation_id, caller.user_id
