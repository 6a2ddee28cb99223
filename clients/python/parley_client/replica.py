"""What this client knows of all the user's conversations, kept up from events, answers and syncs; no I/O.

With `conversation.list` and `message.sync` to make up for what was missed, it ends in the state of a client that never
left. It passes on each change of a message once, one event for each (message, rev), and in the order of the revs of a
conversation; only a live event that a sync has overtaken comes after later changes of other messages.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from parley_client.conversation_state import ConversationState
from parley_client.events import (
    ConversationCreated,
    Event,
    MemberAdded,
    MemberRemoved,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    ReceiptUpdated,
    RevisionEvent,
    conversation_id_of,
    rev_of,
)
from parley_client.protocol import Conversation, Member, Message, SyncPage


class Applied(NamedTuple):
    """What came of an event: what to pass on, and whether its conversation now needs a sync."""

    events: list[Event]
    needs_sync: bool


class Replica:
    """The user's conversations.

    Until it is loaded, by a list of all conversations, it takes what the list says for known; from then on whatever it
    does not know is news.
    """

    def __init__(self) -> None:
        self._own_user_id = ""
        self._states: dict[str, ConversationState] = {}
        self._unsettled: dict[str, None] = {}
        # Conversations that the user is no longer in, with the rev of the leaving: what is older is no news.
        self._left: dict[str, int] = {}
        # Of those, the messages that were known, by id with their revs: whoever comes back is not told of them again.
        self._seen_before_leaving: dict[str, dict[str, int]] = {}
        self.loaded = False

    # What a program reads.

    @property
    def conversations(self) -> list[ConversationState]:
        """All conversations, in no particular order."""
        return list(self._states.values())

    def conversation(self, conversation_id: str) -> ConversationState:
        """One conversation.

        Raises:
            KeyError: when the user is not in it, as far as is known.
        """
        return self._states[conversation_id]

    def __contains__(self, conversation_id: str) -> bool:
        return conversation_id in self._states

    def __len__(self) -> int:
        return len(self._states)

    # What changes it.

    @property
    def out_of_sync(self) -> Collection[str]:
        """The conversations that need a sync."""
        return self._unsettled.keys()

    def set_user(self, user_id: str) -> None:
        """Says whose conversations these are."""
        self._own_user_id = user_id

    def apply(self, event: Event) -> Applied:
        """Applies a live event."""
        if isinstance(event, RevisionEvent):
            conversation_id = conversation_id_of(event)
            events = self._apply_revision(conversation_id, event)
            return Applied(events, conversation_id in self._unsettled)
        if isinstance(event, ReceiptUpdated):
            return Applied([event] if self._apply_receipt(event) else [], needs_sync=False)
        return Applied([event], needs_sync=False)

    def apply_snapshot(self, conversation: Conversation) -> list[Event]:
        """Takes in a conversation from a list or a look-up."""
        conversation_id = conversation.conversation_id
        if self._has_left(conversation_id, conversation.rev):
            return []
        state = self._states.get(conversation_id)
        if not self.loaded and (state is None or not state.started):
            state = state or self._add(conversation_id)
            state.apply_local(conversation)
            return self._track(state, state.start(conversation.rev, conversation.seq))
        if state is None:
            state = self._add_new(conversation, live=False)
        return self._track(state, state.apply_snapshot(conversation))

    def mark_loaded(self) -> list[Event]:
        """Says that all conversations have been listed."""
        self.loaded = True
        return [
            event
            for state in self.conversations
            if not state.started
            for event in self._track(state, state.start(None))
        ]

    def mark_unverified(self, conversation_ids: Iterable[str]) -> None:
        """Marks conversations that a complete list did not show; a sync tells whether the user is still in them."""
        for conversation_id in conversation_ids:
            state = self._states.get(conversation_id)
            if state is not None:
                state.unverified = True
                self._track(state, [])

    def merge_page(self, conversation_id: str, after_rev: int, page: SyncPage) -> list[Event]:
        """Applies a page of `message.sync`, which was asked for with `after_rev`."""
        state = self._states.get(conversation_id)
        return [] if state is None else self._track(state, state.merge_page(after_rev, page))

    def remove_inaccessible(self, conversation_id: str) -> list[Event]:
        """Forgets a conversation to which the user turned out to have no access any more."""
        state = self._states.get(conversation_id)
        if state is None:
            return []
        rev = state.head_rev
        self._drop(conversation_id, rev)
        if state.info is None:
            return []
        member = state.members.get(self._own_user_id, Member(user_id=self._own_user_id))
        return [MemberRemoved(conversation_id=conversation_id, member=member, rev=rev, replayed=True)]

    # What answers to this client's own requests say.

    def apply_local_message(self, message: Message) -> list[Event]:
        """Applies a message that this client sent, edited or deleted."""
        state = self._states.get(message.conversation_id)
        return [] if state is None else self._track(state, state.apply_local_message(message))

    def apply_local(self, conversation: Conversation) -> list[Event]:
        """Takes in a conversation that this client made or changed."""
        state = self._states.get(conversation.conversation_id)
        if state is None:
            self._left.pop(conversation.conversation_id, None)
            state = self._add_new(conversation, live=False) if self.loaded else self._add(conversation.conversation_id)
        state.apply_local(conversation)
        return self._track(state, [])

    def leave(self, conversation_id: str, rev: int) -> None:
        """Forgets a conversation that this client left."""
        self._drop(conversation_id, rev)

    def add_history(self, conversation_id: str, messages: Iterable[Message]) -> None:
        """Takes in old messages."""
        if conversation_id in self._states:
            self._states[conversation_id].add_history(messages)

    def advance_own_receipt(self, conversation_id: str, read_seq: int, delivered_seq: int) -> None:
        """Moves the user's own receipt forward; a seq beyond the last message counts as the last."""
        state = self._states.get(conversation_id)
        if state is not None:
            state.advance_receipt(self._own_user_id, min(read_seq, state.seq), min(delivered_seq, state.seq))

    def filter_members(self, conversation_id: str, user_ids: list[str]) -> list[str]:
        """Those of the users who are members, as far as is known: the server drops mentions of others."""
        state = self._states.get(conversation_id)
        if state is None or not state.members:
            return user_ids
        return [user_id for user_id in user_ids if user_id in state.members]

    def _apply_revision(self, conversation_id: str, event: RevisionEvent) -> list[Event]:
        rev = rev_of(event)
        if self._has_left(conversation_id, rev):
            return []
        state = self._states.get(conversation_id)
        if isinstance(event, MemberRemoved) and event.member.user_id == self._own_user_id:
            if state is not None and rev <= state.known_member_rev:
                return []
            # Nothing more will come of this conversation, so nothing that is missing is worth waiting for.
            self._drop(conversation_id, rev)
            return [event]
        if state is None:
            state = self._add_from_event(event)
        return self._track(state, state.apply(event))

    def _add_from_event(self, event: RevisionEvent) -> ConversationState:
        """A conversation of which an event tells first."""
        if self.loaded and isinstance(event, ConversationCreated):
            return self._add_new(event.conversation, live=True)
        state = self._add(conversation_id_of(event))
        if self.loaded:
            # Unless it is the user's own joining, what presented this conversation was missed, and maybe more.
            joined = isinstance(event, MemberAdded) and event.member.user_id == self._own_user_id
            state.start(rev_of(event) - 1 if joined else 0)
        return state

    def _apply_receipt(self, event: ReceiptUpdated) -> bool:
        state = self._states.get(event.conversation_id)
        return state is None or state.advance_receipt(event.user_id, event.read_seq, event.delivered_seq)

    def _add(self, conversation_id: str) -> ConversationState:
        state = self._states[conversation_id] = ConversationState(conversation_id, self._own_user_id)
        return state

    def _add_new(self, conversation: Conversation, *, live: bool) -> ConversationState:
        state = self._add(conversation.conversation_id)
        state.start_new(conversation, live=live)
        return state

    def _track(self, state: ConversationState, events: list[Event]) -> list[Event]:
        if state.out_of_sync:
            self._unsettled[state.conversation_id] = None
        else:
            self._unsettled.pop(state.conversation_id, None)
        told = self._seen_before_leaving.get(state.conversation_id)
        return events if told is None else [event for event in events if not _was_seen(told, event)]

    def _has_left(self, conversation_id: str, rev: int) -> bool:
        return rev <= self._left.get(conversation_id, -1)

    def _drop(self, conversation_id: str, rev: int) -> None:
        state = self._states.pop(conversation_id, None)
        self._unsettled.pop(conversation_id, None)
        if state is not None:
            told = self._seen_before_leaving.setdefault(conversation_id, {})
            told.update({message.message_id: message.rev for message in state.messages})
        self._left[conversation_id] = max(rev, self._left.get(conversation_id, 0))


def _was_seen(told: dict[str, int], event: Event) -> bool:
    """Whether a message's change was told already, to one who has left since and come back."""
    return (
        isinstance(event, MessageCreated | MessageUpdated | MessageDeleted)
        and told.get(event.message.message_id, 0) >= event.message.rev
    )
