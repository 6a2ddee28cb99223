"""The client's state of all the user's conversations, kept current by events, responses and syncs; no I/O.

With `conversation.list` and `message.sync` to fill gaps, it ends in the state of a client that never disconnected. It
emits each change of a message once, one event for each (message, rev), in the order of the conversation's revs. The
exception is a live event that a sync has overtaken: it comes after later changes of other messages.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from parley_client.contract import Conversation, Member, Message, SyncMessagesResponse
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


class Applied(NamedTuple):
    """The result of an event: the events to emit, and whether its conversation needs a sync."""

    events: list[Event]
    needs_sync: bool


class Replica:
    """The user's conversations.

    Until all conversations have been listed (`mark_loaded`), listed ones count as known; afterwards every unknown
    conversation is new.
    """

    def __init__(self) -> None:
        self._own_user_id = ""
        self._states: dict[str, ConversationState] = {}
        self._unsettled: dict[str, None] = {}
        # Conversations that the user has left, with the rev of leaving; older events are ignored.
        self._left: dict[str, int] = {}
        # The messages of those that were known, by id with their revs, so that a user who returns does not get them
        # again.
        self._seen_before_leaving: dict[str, dict[str, int]] = {}
        self.loaded = False

    # For programs.

    @property
    def conversations(self) -> list[ConversationState]:
        """All conversations, in no particular order."""
        return list(self._states.values())

    def conversation(self, conversation_id: str) -> ConversationState:
        """Returns a conversation.

        Raises:
            KeyError: the user is not a member, as far as the client knows.
        """
        return self._states[conversation_id]

    def __contains__(self, conversation_id: str) -> bool:
        return conversation_id in self._states

    def __len__(self) -> int:
        return len(self._states)

    # Changes.

    @property
    def out_of_sync(self) -> Collection[str]:
        """The conversations that need a sync."""
        return self._unsettled.keys()

    def set_user(self, user_id: str) -> None:
        """Sets the user whose conversations these are."""
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
        """Applies a conversation from a list or a lookup."""
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
        """Records that all conversations have been listed."""
        self.loaded = True
        return [
            event
            for state in self.conversations
            if not state.started
            for event in self._track(state, state.start(None))
        ]

    def mark_unverified(self, conversation_ids: Iterable[str]) -> None:
        """Marks conversations that a complete list did not contain; a sync shows whether the user is still in them."""
        for conversation_id in conversation_ids:
            state = self._states.get(conversation_id)
            if state is not None:
                state.unverified = True
                self._track(state, [])

    def merge_page(self, conversation_id: str, after_rev: int, page: SyncMessagesResponse) -> list[Event]:
        """Applies a page of `message.sync`, requested with `after_rev`."""
        state = self._states.get(conversation_id)
        return [] if state is None else self._track(state, state.merge_page(after_rev, page))

    def remove_inaccessible(self, conversation_id: str) -> list[Event]:
        """Removes a conversation that the user may no longer read."""
        state = self._states.get(conversation_id)
        if state is None:
            return []
        rev = state.head_rev
        self._drop(conversation_id, rev)
        if state.info is None:
            return []
        member = state.members.get(self._own_user_id, Member(user_id=self._own_user_id, role="member"))
        return [MemberRemoved(conversation_id=conversation_id, member=member, rev=rev, replayed=True)]

    # Responses to this client's own requests.

    def apply_local_message(self, message: Message) -> list[Event]:
        """Applies a message that this client sent, edited or deleted."""
        state = self._states.get(message.conversation_id)
        return [] if state is None else self._track(state, state.apply_local_message(message))

    def apply_local(self, conversation: Conversation) -> list[Event]:
        """Applies a conversation that this client created or changed.

        The reply to a repeat may come after the user was removed, and then has no member.
        """
        state = self._states.get(conversation.conversation_id)
        if conversation.member_count == 0:
            self.mark_unverified([conversation.conversation_id])
            return []
        if state is None:
            self._left.pop(conversation.conversation_id, None)
            state = self._add_new(conversation, live=False) if self.loaded else self._add(conversation.conversation_id)
        state.apply_local(conversation)
        return self._track(state, [])

    def leave(self, conversation_id: str, rev: int) -> None:
        """Removes a conversation that this client left; the reply to a repeat may come after the user's return."""
        state = self._states.get(conversation_id)
        if state is None or state.known_member_rev <= rev:
            self._drop(conversation_id, rev)

    def add_history(self, conversation_id: str, messages: Iterable[Message]) -> None:
        """Stores old messages."""
        if conversation_id in self._states:
            self._states[conversation_id].add_history(messages)

    def advance_own_receipt(self, conversation_id: str, read_seq: int, delivered_seq: int) -> None:
        """Moves the user's own receipt forward, at most to the last message."""
        state = self._states.get(conversation_id)
        if state is not None:
            state.advance_receipt(self._own_user_id, min(read_seq, state.seq), min(delivered_seq, state.seq))

    def filter_members(self, conversation_id: str, user_ids: list[str]) -> list[str]:
        """Returns the users who are members, as far as the client knows: the server drops mentions of others."""
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
            # No more events of this conversation will come, so waiting for missing ones is pointless.
            self._drop(conversation_id, rev)
            return [event]
        if state is None:
            state = self._add_from_event(event)
        return self._track(state, state.apply(event))

    def _add_from_event(self, event: RevisionEvent) -> ConversationState:
        """Adds a conversation that is first known from an event."""
        if self.loaded and isinstance(event, ConversationCreated):
            return self._add_new(event.conversation, live=True)
        state = self._add(conversation_id_of(event))
        if self.loaded:
            # Unless this is the user's own join, the event that announced the conversation was missed, and maybe
            # others.
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
        seen = self._seen_before_leaving.get(state.conversation_id)
        return events if seen is None else [event for event in events if not _was_seen(seen, event)]

    def _has_left(self, conversation_id: str, rev: int) -> bool:
        return rev <= self._left.get(conversation_id, -1)

    def _drop(self, conversation_id: str, rev: int) -> None:
        state = self._states.pop(conversation_id, None)
        self._unsettled.pop(conversation_id, None)
        if state is not None:
            seen = self._seen_before_leaving.setdefault(conversation_id, {})
            seen.update({message.message_id: message.rev for message in state.messages})
        self._left[conversation_id] = max(rev, self._left.get(conversation_id, 0))


def _was_seen(seen: dict[str, int], event: Event) -> bool:
    """Returns whether the event is a message change that was emitted before the user left."""
    return (
        isinstance(event, MessageCreated | MessageUpdated | MessageDeleted)
        and seen.get(event.message.message_id, 0) >= event.message.rev
    )
