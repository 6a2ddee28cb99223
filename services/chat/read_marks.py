"""Advances members' read marks, many in one write, and publishes those that moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.chat import events
from services.chat.conversation_cache import ConversationCache, advance_member_marks
from services.chat.domain import MemberKey, ReadMark
from services.chat.publisher import Publisher
from services.chat.store import ChatStore


class ReadMarks:
    """Advances read marks. A mark never moves back.

    Args:
        store, cache, publisher: the collaborators.
        now_ms: returns the time, in Unix ms.
    """

    def __init__(
        self, *, store: ChatStore, cache: ConversationCache, publisher: Publisher, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._cache = cache
        self._publisher = publisher
        self._now_ms = now_ms
        self._before: dict[MemberKey, ReadMark] = {}

    async def advance(self, marks: Mapping[MemberKey, ReadMark], *, always_notify: bool = False) -> None:
        """Advances marks in the store, then publishes those that moved; all of them, if `always_notify`.

        Whether a mark moved is judged against its value before the first attempt to write it. A later value would not
        do: a reload may already have fetched the new mark, also from a write with an unknown outcome.

        Raises:
            StoreError: the outcome is unknown.
        """
        for key in marks:
            self._before.setdefault(key, self._known(key))
        now_ms = self._now_ms()
        await self._store.advance_marks(marks, now_ms)
        for key, mark in marks.items():
            self._publish(key, mark, now_ms, always_notify=always_notify)

    def _known(self, key: MemberKey) -> ReadMark:
        state = self._cache.peek(key.conversation_id)
        member = state.members.get(key.user_id) if state else None
        return ReadMark(member.read_seq, member.delivered_seq) if member else ReadMark(0, 0)

    def _publish(self, key: MemberKey, mark: ReadMark, now_ms: int, *, always_notify: bool) -> None:
        before = self._before.pop(key, None) or self._known(key)  # two writes of one mark may overlap
        state = self._cache.peek(key.conversation_id)
        member = state.members.get(key.user_id) if state else None
        if state is None or member is None:
            return
        advance_member_marks(member, mark.read_seq, mark.delivered_seq, now_ms)
        has_read = mark.read_seq > before.read_seq
        if always_notify or has_read or mark.delivered_seq > before.delivered_seq:
            self._publisher.put(
                events.receipt_updated(state.conversation, member, state.members.values(), has_read=has_read)
            )
