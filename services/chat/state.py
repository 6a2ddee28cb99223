"""What a replica holds of the conversations that it writes to: the head to number from, and who is a member.

A state may be stale, and nothing needs it not to be: it is checked where it matters, when an entry is committed. The
fence lets an entry in only when nothing happened since the state was loaded, no message and no change of members.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from services.chat.domain import Change, ChangeKind, Conversation, Head, Member, Message, advance
from services.chat.store import ChatStore


@dataclass(slots=True, eq=False)
class ConversationState:
    """A conversation as this replica knows it.

    Attributes:
        conversation: its own fields, as loaded.
        head: up to where entries are committed.
        members: by user id.
        published: up to where entries have reached the event log.
        summarized_rev: up to where the summary in the store is written.
        sent: for each sender since the summary, the seq of their latest message: what they have read at least.
        busy: how many commits and publications are under way.
        intent: the generation of this replica's intent in the store; 0 when there is none.
    """

    conversation: Conversation
    head: Head
    members: dict[str, Member]
    published: Head
    summarized_rev: int
    sent: dict[str, int] = field(default_factory=dict)
    busy: int = 0
    intent: int = 0

    def next_change(
        self,
        kind: ChangeKind,
        actor_id: str,
        now_ms: int,
        *,
        message_id: str = "",
        added: tuple[str, ...] = (),
        removed: tuple[str, ...] = (),
        updated: tuple[str, ...] = (),
    ) -> Change:
        """The change entry that follows the head."""
        return Change(
            conversation_id=self.conversation.conversation_id,
            rev=self.head.rev + 1,
            seq=self.head.seq,
            kind=kind,
            actor_id=actor_id,
            time_ms=max(now_ms, self.head.changed_ms),
            message_id=message_id,
            added=added,
            removed=removed,
            updated=updated,
        )

    def note_senders(self, messages: Iterable[Message]) -> None:
        """Remembers what the senders of some messages have read at least, for the summary."""
        for message in messages:
            self.sent[message.sender_id] = max(message.seq, self.sent.get(message.sender_id, 0))


class States:
    """The states that this replica holds, the least recently used of which it lets go when there are too many.

    Args:
        store: where they are loaded from.
        capacity: how many are held, but for those that are still to be summarized.
        found_gap: is given a state whose load found entries beyond what was known, to have them published.
    """

    def __init__(
        self,
        store: ChatStore,
        capacity: int,
        found_gap: Callable[[ConversationState], None],
    ) -> None:
        self._store = store
        self._capacity = capacity
        self._found_gap = found_gap
        self._states: OrderedDict[str, ConversationState] = OrderedDict()

    def get(self, conversation_id: str) -> ConversationState | None:
        """The state that is held, if one is."""
        state = self._states.get(conversation_id)
        if state is not None:
            self._states.move_to_end(conversation_id)
        return state

    async def load(self, conversation_ids: Iterable[str]) -> None:
        """Makes sure that the states of those of these conversations that exist are held."""
        missing = [conversation_id for conversation_id in conversation_ids if conversation_id not in self._states]
        if missing:
            await self.reload(missing)

    async def reload(self, conversation_ids: Iterable[str]) -> None:
        """Loads states anew, and has published what others left unpublished.

        The log is read before the members: members may then be newer than the head, which the fence notices, and
        never older, which nothing would.
        """
        conversations = await self._store.conversations(conversation_ids)
        floors = {}
        for conversation_id, conversation in conversations.items():
            known = self._states.get(conversation_id)
            floors[conversation_id] = max(conversation.head, known.head if known else conversation.head, key=_rev)
        tails = await self._store.tails({conversation_id: head.rev for conversation_id, head in floors.items()})
        members = await self._store.members(list(conversations))
        for conversation_id, conversation in conversations.items():
            state = self._hold(conversation, floors[conversation_id])
            state.members = {member.user_id: member for member in members[conversation_id]}
            tail = tails[conversation_id]
            for entry in tail:
                state.head = advance(state.head, entry)
            if tail:
                self._found_gap(state)
        self._shrink()

    def _hold(self, conversation: Conversation, floor: Head) -> ConversationState:
        state = self._states.get(conversation.conversation_id)
        if state is None:
            state = ConversationState(conversation, floor, {}, floor, conversation.head.rev)
            self._states[conversation.conversation_id] = state
        state.conversation = conversation
        state.head = max(state.head, floor, key=_rev)
        return state

    def _shrink(self) -> None:
        excess = len(self._states) - self._capacity
        if excess > 0:
            idle = [key for key, state in self._states.items() if not state.busy and not state.intent][:excess]
            for conversation_id in idle:
                del self._states[conversation_id]

    def forget(self, conversation_id: str) -> None:
        """Lets go of a state, so that the next use loads it anew."""
        self._states.pop(conversation_id, None)

    def dirty(self) -> list[ConversationState]:
        """States with an intent: those whose summaries are, or may soon be, behind."""
        return [state for state in self._states.values() if state.intent]


def _rev(head: Head) -> int:
    return head.rev
