"""A replica's cache of the conversations that it writes to: their heads, from which it sequences, and their members.

A cached state may be stale. That is harmless, because the commit of an entry checks it: the fence rejects the entry if
anything, a message or a change of members, happened since the state was loaded. This holds because of one invariant:
members and settings are never older than the head.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from services.chat.domain import Change, ChangeKind, ChangeSet, Conversation, Head, Member, Message, advance_over
from services.chat.store import ChatStore


@dataclass(slots=True, eq=False)
class ConversationState:
    """A conversation as this replica knows it.

    Attributes:
        conversation: its own fields, as loaded.
        head: the last entry known to be committed. Only loading and this replica's own messages advance it.
        members: by user id.
        published: the last entry in the event log.
        replay_from: where publishing restarts if the event log is lost; every subscriber has read the entries up to it.
        next_replay_from: the next value of replay_from.
        summarized_rev: the rev of the summary in the store.
        observed_rev: the highest rev that other replicas published; if it is above the head's, the state is stale.
        sender_seqs: the seq of each sender's latest message since the summary; a sender has read up to it.
        pins: the number of uses, commits and publications in progress; a pinned state stays cached.
        intent: the generation of this replica's intent in the store; 0 if there is none.
        replay: whether entries after `replay_from` must be published again, because the event log was lost.
    """

    conversation: Conversation
    head: Head
    members: dict[str, Member]
    published: Head
    replay_from: Head
    next_replay_from: Head
    summarized_rev: int
    observed_rev: int = 0
    sender_seqs: dict[str, int] = field(default_factory=dict)
    pins: int = 0
    intent: int = 0
    replay: bool = False

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
        """Returns the change entry that follows the head."""
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

    def unchanged(self, actor_id: str, now_ms: int, *, message_id: str = "") -> ChangeSet:
        """Returns a change set that changes nothing in the log."""
        conversation_id = self.conversation.conversation_id
        change = Change(
            conversation_id, self.head.rev, self.head.seq, ChangeKind.UNCHANGED, actor_id, now_ms, message_id=message_id
        )
        return ChangeSet(change)

    def observe_rev(self, rev: int) -> None:
        """Records that there may be an entry of this rev, written by another replica."""
        self.observed_rev = max(self.observed_rev, rev)

    def record_sender(self, message: Message) -> None:
        """Records, for the summary, that the sender of a message has read up to it."""
        self.sender_seqs[message.sender_id] = max(message.seq, self.sender_seqs.get(message.sender_id, 0))


class _Loaded(NamedTuple):
    """A conversation as loaded: `summary` was read first, then the log, then the rest."""

    summary: Head
    head: Head
    conversation: Conversation
    members: list[Member]


class ConversationCache:
    """Holds the states of conversations, and evicts the least recently used ones.

    Args:
        store: where states are loaded from.
        capacity: the number of states; those that are pinned or have an intent come on top.
        on_unpublished: called with a state if loading it found entries that were unknown, for publication.
    """

    def __init__(
        self,
        store: ChatStore,
        capacity: int,
        on_unpublished: Callable[[ConversationState], None],
    ) -> None:
        self._store = store
        self._capacity = capacity
        self._on_unpublished = on_unpublished
        self._states: OrderedDict[str, ConversationState] = OrderedDict()

    def peek(self, conversation_id: str) -> ConversationState | None:
        """Returns a cached state, without counting as a use."""
        return self._states.get(conversation_id)

    @asynccontextmanager
    async def acquire(
        self, conversation_ids: Collection[str], *, refresh: bool = False
    ) -> AsyncIterator[dict[str, ConversationState]]:
        """Pins the states of these conversations while the context is open.

        Loads states that are not cached or known to be stale; all of them if `refresh` is set.

        Yields:
            The states by conversation id; conversations that don't exist are left out.

        Raises:
            StoreError: a state could not be loaded.
        """
        states = {key: self._states[key] for key in conversation_ids if key in self._states}
        _pin(states.values())
        try:
            missing = [key for key in conversation_ids if refresh or key not in states or _is_stale(states[key])]
            loaded = await self._load(missing) if missing else {}
            added = {key: state for key, state in loaded.items() if key not in states}
            _pin(added.values())
            states |= added
            yield states
        finally:
            for key, state in states.items():
                state.pins -= 1
                self._states.move_to_end(key)
            self._shrink()

    async def refresh(self, conversation_ids: Collection[str]) -> None:
        """Reloads states, cached or not. Raises StoreError."""
        async with self.acquire(conversation_ids, refresh=True):
            pass

    async def _load(self, conversation_ids: Collection[str]) -> dict[str, ConversationState]:
        """Reads the log before members and settings, which may then be newer than the head; the fence detects that.

        Entries that other replicas left unpublished are handed over for publication.
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
            key: self._apply(_Loaded(summary.head, advance_over(floors[key], tails[key]), latest[key], members[key]))
            for key, summary in summaries.items()
        }

    def _apply(self, loaded: _Loaded) -> ConversationState:
        """Applies what was loaded, unless the state has advanced further meanwhile."""
        conversation_id, summary = loaded.conversation.conversation_id, loaded.summary
        state = self._states.get(conversation_id)
        if state is None:
            state = ConversationState(loaded.conversation, summary, {}, summary, summary, summary, summary.rev)
            self._states[conversation_id] = state
        if not state.replay:
            state.published = max(state.published, summary, key=_rev)
        state.summarized_rev = max(state.summarized_rev, summary.rev)
        before, reached = state.head.rev, loaded.head.rev
        if reached >= before:
            state.head = loaded.head
            state.conversation = loaded.conversation
            state.members = _with_latest_marks(loaded.members, state.members)
        if reached > max(before, summary.rev):
            self._on_unpublished(state)
        return state

    def _shrink(self) -> None:
        excess = len(self._states) - self._capacity
        if excess > 0:
            idle = [key for key, state in self._states.items() if not state.pins and not state.intent][:excess]
            for conversation_id in idle:
                del self._states[conversation_id]

    def advance_replay_points(self) -> None:
        """Moves each replay_from forward to what was published at the last call; call periodically.

        The period must be longer than subscribers take to read events.
        """
        for state in self._states.values():
            state.replay_from, state.next_replay_from = state.next_replay_from, state.published

    def replay(self) -> None:
        """Schedules the entries that may have been lost with the event log for publication."""
        for state in self._states.values():
            if state.replay_from.rev < state.published.rev:
                state.published, state.replay = state.replay_from, True
                self._on_unpublished(state)

    def unfinished(self) -> list[ConversationState]:
        """Returns the states with an intent, whose summaries may lag behind, and those with unwritten sender marks."""
        return [state for state in self._states.values() if state.intent or state.sender_seqs]


def advance_member_marks(member: Member, read_seq: int, delivered_seq: int, read_ms: int) -> None:
    """Advances a member's marks in memory."""
    if read_seq:
        member.read_seq = max(member.read_seq, read_seq)
        member.read_ms = max(member.read_ms, read_ms)
    member.delivered_seq = max(member.delivered_seq, delivered_seq, member.read_seq)


def _with_latest_marks(members: Iterable[Member], known: dict[str, Member]) -> dict[str, Member]:
    """Returns members by user id, with the marks that were advanced in memory since they were read."""
    for member in members:
        if before := known.get(member.user_id):
            advance_member_marks(member, before.read_seq, before.delivered_seq, before.read_ms)
    return {member.user_id: member for member in members}


def _pin(states: Iterable[ConversationState]) -> None:
    for state in states:
        state.pins += 1


def _is_stale(state: ConversationState) -> bool:
    return state.observed_rev > state.head.rev


def _rev(head: Head) -> int:
    return head.rev
