"""Members' marks, of what they have read and of what reached them: written many at once, and told where they moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.chat import events
from services.chat.conversation_cache import ConversationCache, raise_marks
from services.chat.domain import MemberKey, ReadMark
from services.chat.publisher import Publisher
from services.chat.store import ChatStore


class Marks:
    """Moves marks, forward only.

    Args:
        store, states, publisher: what it works with.
        now_ms: the time, as Unix milliseconds.
    """

    def __init__(
        self, *, store: ChatStore, states: ConversationCache, publisher: Publisher, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._states = states
        self._publisher = publisher
        self._now_ms = now_ms
        self._before: dict[MemberKey, ReadMark] = {}

    async def move(self, marks: Mapping[MemberKey, ReadMark], *, anyway: bool = False) -> None:
        """Moves marks; when that is durable, tells of those that moved; or of all, `anyway`. Raises StoreError.

        They count from where they were known to be before they were first tried to be written: a load may have brought
        them in while they were, also in a write of which it is not known that it was done.
        """
        for key in marks:
            self._before.setdefault(key, self._known(key))
        now_ms = self._now_ms()
        await self._store.move_marks(marks, now_ms)
        for key, mark in marks.items():
            self._tell(key, mark, now_ms, anyway=anyway)

    def _known(self, key: MemberKey) -> ReadMark:
        state = self._states.peek(key.conversation_id)
        member = state.members.get(key.user_id) if state else None
        return ReadMark(member.read_seq, member.delivered_seq) if member else ReadMark(0, 0)

    def _tell(self, key: MemberKey, mark: ReadMark, now_ms: int, *, anyway: bool) -> None:
        before = self._before.pop(key, None) or self._known(key)  # two writes of one mark may overlap
        state = self._states.peek(key.conversation_id)
        member = state.members.get(key.user_id) if state else None
        if state is None or member is None:
            return
        raise_marks(member, mark.read_seq, mark.delivered_seq, now_ms)
        has_read = mark.read_seq > before.read_seq
        if anyway or has_read or mark.delivered_seq > before.delivered_seq:
            self._publisher.put(
                events.receipt_updated(state.conversation, member, state.members.values(), has_read=has_read)
            )
