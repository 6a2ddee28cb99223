"""What a replica holds of the conversations that it writes to: the head to number from, and who is a member.

A state may be stale, and nothing needs it not to be: it is checked where it matters, when an entry is committed. The
fence lets an entry in only when nothing happened since the state was loaded, no message and no change of members.
That holds because of one invariant: members and settings are never older than the head.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from services.chat.domain import Change, ChangeKind, Conversation, Head, Member, Message, advance_over
from services.chat.store import ChatStore


@dataclass(slots=True, eq=False)
class ConversationState:
    """A conversation as this replica knows it.

    Attributes:
        conversation: its own fields, as loaded.
        head: up to where entries are known to be committed; advanced by loading and by own messages alone.
        members: by user id.
        published: up to where entries have reached the event log.
        settled: up to where they reached it so long ago that everybody has read them; settling, those in between.
        rewound: the event log was lost, and what was published since `settled` is to be published again.
        summarized_rev: up to where the summary in the store is written.
        heard_rev: the highest rev that is rumoured to exist; beyond the head, the state is stale.
        sent: for each sender since the summary, the seq of their latest message: what they have read at least.
        busy: how many uses, commits and publications are under way; the state is not let go meanwhile.
        intent: the generation of this replica's intent in the store; 0 when there is none.
    """

    conversation: Conversation
    head: Head
    members: dict[str, Member]
    published: Head
    settled: Head
    settling: Head
    summarized_rev: int
    heard_rev: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    busy: int = 0
    intent: int = 0
    rewound: bool = False

    def next_change(
        self,
        kind: ChangeKind,
        actor_id: str,
        now_ms: int,
        *,
        message_id: str = "",
        added: tuple[str, ...] = (),
        removed: tuple[Member, ...] = (),
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

    def hear_of(self, rev: int) -> None:
        """Notes that there may be an entry of this rev, which another replica wrote."""
        self.heard_rev = max(self.heard_rev, rev)

    def note_sender(self, message: Message) -> None:
        """Remembers what the sender of a message has read at least, for the summary."""
        self.sent[message.sender_id] = max(message.seq, self.sent.get(message.sender_id, 0))


class _Loaded(NamedTuple):
    """What the store says of a conversation: `summary` was read first, then the log, then the rest."""

    summary: Head
    head: Head
    conversation: Conversation
    members: list[Member]


class ConversationCache:
    """The states that this replica holds, the least recently used of which it lets go when there are too many.

    Args:
        store: where they are loaded from.
        capacity: how many are held, but for those that are in use or still to be summarized.
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

    def peek(self, conversation_id: str) -> ConversationState | None:
        """The state that is held, if one is; looking is no use of it."""
        return self._states.get(conversation_id)

    @asynccontextmanager
    async def holding(
        self, conversation_ids: Collection[str], *, anew: bool = False
    ) -> AsyncIterator[dict[str, ConversationState]]:
        """Keeps the states of those of these conversations that exist, by their ids, while the context is open.

        Loads those that are not held or known to be stale; with `anew`, all of them.
        """
        states = {key: self._states[key] for key in conversation_ids if key in self._states}
        _pin(states.values())
        try:
            missing = [key for key in conversation_ids if anew or key not in states or _is_stale(states[key])]
            loaded = await self._load(missing) if missing else {}
            added = {key: state for key, state in loaded.items() if key not in states}
            _pin(added.values())
            states |= added
            yield states
        finally:
            for key, state in states.items():
                state.busy -= 1
                self._states.move_to_end(key)
            self._shrink()

    async def refresh(self, conversation_ids: Collection[str]) -> None:
        """Loads states anew, whether or not they are held."""
        async with self.holding(conversation_ids, anew=True):
            pass

    async def _load(self, conversation_ids: Collection[str]) -> dict[str, ConversationState]:
        """Reads the log before members and settings: these may then be newer than the head, which the fence notices.

        What others left unpublished is published.
        """
        summaries = await self._store.conversations(conversation_ids)
        floors = {}
        for key, conversation in summaries.items():
            known = self._states.get(key)
            floors[key] = max(conversation.head, known.head if known else conversation.head, key=_rev)
        tails = await self._store.tails({key: head.rev for key, head in floors.items()})
        changed = [key for key, tail in tails.items() if any(isinstance(entry, Change) for entry in tail)]
        latest = summaries | await self._store.conversations(changed)
        members = await self._store.members(list(summaries))
        return {
            key: self._take_in(_Loaded(summary.head, advance_over(floors[key], tails[key]), latest[key], members[key]))
            for key, summary in summaries.items()
        }

    def _take_in(self, loaded: _Loaded) -> ConversationState:
        """Applies what was loaded, unless the state has got further meanwhile: then that was read too early."""
        conversation_id, summary = loaded.conversation.conversation_id, loaded.summary
        state = self._states.get(conversation_id)
        if state is None:
            state = ConversationState(loaded.conversation, summary, {}, summary, summary, summary, summary.rev)
            self._states[conversation_id] = state
        if not state.rewound:
            state.published = max(state.published, summary, key=_rev)
        state.summarized_rev = max(state.summarized_rev, summary.rev)
        before, reached = state.head.rev, loaded.head.rev
        if reached >= before:
            state.head = loaded.head
            state.conversation = loaded.conversation
            state.members = _with_later_marks(loaded.members, state.members)
        if reached > max(before, summary.rev):
            self._found_gap(state)
        return state

    def _shrink(self) -> None:
        excess = len(self._states) - self._capacity
        if excess > 0:
            idle = [key for key, state in self._states.items() if not state.busy and not state.intent][:excess]
            for conversation_id in idle:
                del self._states[conversation_id]

    def settle(self) -> None:
        """Counts what was published before the last call as read by everybody; to be called now and then."""
        for state in self._states.values():
            state.settled, state.settling = state.settling, state.published

    def rewind(self) -> None:
        """Has published again what may have been lost with the event log before everybody had read it."""
        for state in self._states.values():
            if state.settled.rev < state.published.rev:
                state.published, state.rewound = state.settled, True
                self._found_gap(state)

    def dirty(self) -> list[ConversationState]:
        """States with an intent, whose summaries are, or may soon be, behind; and those with senders to tell of."""
        return [state for state in self._states.values() if state.intent or state.sent]


def raise_marks(member: Member, read_seq: int, delivered_seq: int, read_ms: int) -> None:
    """Moves a member's marks forward, as far as this replica knows them."""
    if read_seq:
        member.read_seq = max(member.read_seq, read_seq)
        member.read_ms = max(member.read_ms, read_ms)
    member.delivered_seq = max(member.delivered_seq, delivered_seq, member.read_seq)


def _with_later_marks(members: Iterable[Member], known: dict[str, Member]) -> dict[str, Member]:
    """Members by user id; their marks may have moved since they were read, and never move back."""
    for member in members:
        if before := known.get(member.user_id):
            raise_marks(member, before.read_seq, before.delivered_seq, before.read_ms)
    return {member.user_id: member for member in members}


def _pin(states: Iterable[ConversationState]) -> None:
    for state in states:
        state.busy += 1


def _is_stale(state: ConversationState) -> bool:
    return state.heard_rev > state.head.rev


def _rev(head: Head) -> int:
    return head.rev
