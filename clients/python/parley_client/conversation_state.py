"""The client's state of one conversation: each change is applied once, in the order of revs; no I/O.

Two rules ensure that, for late, repeated and lost events:

- an event waits while an earlier one is missing, and `out_of_sync` requests a sync;
- an event is emitted only if it is new: a message if it is newer than the stored one, any other event if its rev is, or
  if it still changes something.
"""

from collections.abc import Iterable

from parley_client.contract import Conversation, Member, Message, SyncMessagesResponse
from parley_client.events import (
    ChangeEvent,
    ConversationCreated,
    ConversationEvent,
    Event,
    MemberAdded,
    MessageEvent,
    RevisionEvent,
    rev_of,
)
from parley_client.members import Membership
from parley_client.replayed_events import (
    replay_members,
    replay_message,
    replay_settings,
    settings_of,
    shared_settings_of,
)
from parley_client.revisions import RevisionOrder
from parley_client.timeline import Timeline


class ConversationState:
    """The client's state of one conversation. Programs read its properties; `Replica` changes it."""

    def __init__(self, conversation_id: str, own_user_id: str) -> None:
        self.conversation_id = conversation_id
        self._own_user_id = own_user_id
        self._info: Conversation | None = None
        self._membership = Membership()
        self._timeline = Timeline()
        self._order = RevisionOrder()
        # Changes up to these were made before this client started: they are not new unless they change later.
        self._start_rev = 0
        self._start_seq = 0
        # The latest rev of a message that was emitted: older revs, up to _start_rev, are repeats.
        self._emitted_rev = 0
        self._awaiting_join = False
        # Whether the program knows of this conversation, from an event or from the answer to its own request.
        self._announced = False
        self.unverified = False

    # For programs.

    @property
    def info(self) -> Conversation | None:
        """The latest snapshot of the conversation; its counters, members and last message may be older than this
        state's.
        """
        return self._info

    @property
    def messages(self) -> list[Message]:
        """The stored messages by seq, tombstones included."""
        return list(self._timeline)

    @property
    def complete(self) -> bool:
        """Whether all messages are stored, from the first."""
        return len(self._timeline) == self.seq

    @property
    def members(self) -> dict[str, Member]:
        """The members by user id; empty above 200 members."""
        return self._membership.members()

    @property
    def member_count(self) -> int:
        """The number of members."""
        return self._membership.count

    @property
    def applied_rev(self) -> int:
        """The rev up to which every change has been applied."""
        return self._order.applied or 0

    @property
    def head_rev(self) -> int:
        """The latest rev known to exist."""
        return self._order.head

    @property
    def known_member_rev(self) -> int:
        """A rev at which the user was a member."""
        return max(self.applied_rev, self._membership.rev)

    @property
    def started(self) -> bool:
        """Whether the starting rev is known."""
        return self._order.applied is not None

    @property
    def seq(self) -> int:
        """The seq of the latest message."""
        return max(self._timeline.last_seq, 0 if self._info is None else self._info.seq)

    @property
    def read_seq(self) -> int:
        """The seq up to which the user has read."""
        return self._membership.read_seq(self._own_user_id)

    @property
    def unread_count(self) -> int:
        """The number of messages that the user has not read."""
        return max(0, self.seq - self.read_seq)

    @property
    def last_message(self) -> Message | None:
        """The latest message, from the stored ones or from the latest snapshot."""
        latest = self._timeline.last
        listed = self._info.last_message if self._info is not None else None
        if latest is None or (listed is not None and listed.seq > latest.seq):
            return listed
        return latest

    @property
    def out_of_sync(self) -> bool:
        """Whether a sync is needed."""
        if not self.started:
            return self._awaiting_join
        return self._order.behind or self._info is None or self.unverified

    def message(self, message_id: str) -> Message | None:
        """Returns a message, or None if it is not stored."""
        return self._timeline.get(message_id)

    # Changes. Each method returns the events to emit, in order.

    def start(self, after_rev: int | None, after_seq: int = 0) -> list[Event]:
        """Starts after a rev and seq: earlier changes are not new. Without a rev, starts before the first buffered
        event.
        """
        early = self._order.start(after_rev)
        self._start_rev = self.applied_rev
        self._start_seq = after_seq
        return [*self._apply_changes(early, fresh=False), *self._apply_buffered()]

    def start_new(self, conversation: Conversation, *, live: bool) -> None:
        """Starts a conversation that is new to the client, so that all of its changes are new.

        Args:
            conversation: the current snapshot.
            live: whether an event just announced it, as opposed to a list after an absence.
        """
        if conversation.seq == 0:
            # The snapshot contains every change so far.
            self.start(conversation.rev)
        elif conversation.rev == conversation.seq + 1:
            # All changes but the first, its creation, are messages.
            self.start(1)
        elif live:
            # The user was probably added to an older conversation; the next event says at which rev.
            self._awaiting_join = True
        else:
            self.start(0)

    def apply(self, event: RevisionEvent) -> list[Event]:
        """Applies a live event, or buffers it until the earlier ones have come."""
        if isinstance(event, ConversationEvent):
            return self._apply_conversation_event(event)
        earlier = self._start_at_join(event) if self._awaiting_join else []
        rev = rev_of(event)
        if not self._order.can_apply(rev):
            self._order.buffer(rev, event)
            return earlier
        fresh = rev > self.applied_rev
        self._order.mark_applied(rev)
        return [*earlier, *self._apply_changes([event], fresh=fresh), *self._apply_buffered()]

    def apply_local_message(self, message: Message) -> list[Event]:
        """Applies a message that this client sent or changed; emits only the events that waited for it."""
        self._put(message)
        self._order.mark_applied(message.rev)
        return self._apply_buffered()

    def apply_local(self, conversation: Conversation) -> None:
        """Applies a conversation that this client created or changed, from the response; emits nothing."""
        self._announced = True
        self._order.observe_rev(conversation.rev)
        self._replace_info(conversation)
        self._membership.apply_snapshot(conversation)

    def add_history(self, messages: Iterable[Message]) -> None:
        """Stores old messages without events; newer ones come in order."""
        for message in messages:
            if message.rev <= self.applied_rev:
                self._put(message)

    def advance_receipt(self, user_id: str, read_seq: int, delivered_seq: int) -> bool:
        """Moves a user's receipt forward; returns whether it moved."""
        return self._membership.advance_receipt(user_id, read_seq, delivered_seq)

    def apply_snapshot(self, conversation: Conversation) -> list[Event]:
        """Compares the state with the server's current snapshot; if changes before it are missing, the state is out of
        sync.
        """
        self._order.observe_rev(conversation.rev)
        if not self._announced:
            return self._announce(conversation)
        return [] if self._order.behind or not self.started else self._emit_differences(conversation)

    def merge_page(self, after_rev: int, page: SyncMessagesResponse) -> list[Event]:
        """Applies a page of the changes after a rev.

        A page covers every change from `after_rev` to its last message; the last page covers every change up to the
        conversation's rev. A page that starts beyond the applied rev leaves a gap, and covers nothing.
        """
        conversation = page.conversation
        events = self._start_without_join() if self._awaiting_join else []
        if not self._announced:
            events += self._announce(conversation)
        events += [event for message in page.messages for event in self._replay(message)]
        self._order.observe_rev(conversation.rev)
        if after_rev <= self.applied_rev:
            self._order.mark_applied_through(max([after_rev, *(message.rev for message in page.messages)]))
            if not page.has_more:
                self._order.mark_applied_through(conversation.rev)
        if not page.has_more:
            self.unverified = False
            events += self._emit_differences(conversation)
        return [*events, *self._apply_buffered()]

    def _apply_buffered(self) -> list[Event]:
        events: list[Event] = []
        while (changes := self._order.pop_ready()) is not None:
            events += self._apply_changes(changes, fresh=True)
        return events

    def _apply_changes(self, events: Iterable[ChangeEvent], *, fresh: bool) -> list[Event]:
        return [event for event in events if self._apply_change(event, fresh=fresh)]

    def _apply_change(self, event: ChangeEvent, *, fresh: bool) -> bool:
        if not isinstance(event, MessageEvent):
            return self._membership.apply(event) or fresh
        rev = event.message.rev
        repeated = rev <= self._start_rev and rev < self._emitted_rev
        self._emitted_rev = max(self._emitted_rev, rev)
        return self._put(event.message) and not repeated

    def _put(self, message: Message) -> bool:
        """Stores a message unless the stored one is as new; its sender has read up to it."""
        self._membership.advance_receipt(message.sender_id, message.seq, message.seq)
        return self._timeline.put(message)

    def _apply_conversation_event(self, event: ConversationEvent) -> list[Event]:
        """Applies a snapshot event, which never waits.

        Its rev is that of the conversation when the event was made, not of a change, so it only proves that a change
        with that rev exists. If the shared settings differ from those of the previous rev, a change of settings is that
        change.
        """
        conversation = event.conversation
        self._order.observe_rev(conversation.rev)
        if isinstance(event, ConversationCreated):
            if self._announced:
                return []
            self.apply_local(conversation)
            return [event]
        if self._info is None:
            # The sync that announces this conversation includes this event.
            return []
        changed = shared_settings_of(self._info) != shared_settings_of(conversation)
        events: list[Event] = [event] if self._replace_info(conversation) else []
        if changed and self._order.can_apply(conversation.rev):
            self._order.mark_applied(conversation.rev)
        return [*events, *self._apply_buffered()]

    def _start_at_join(self, event: ChangeEvent) -> list[Event]:
        """Starts at the user's own join: earlier messages count as read, and are history.

        Others may have been added with the user. Any other event means that the join was missed.
        """
        if not isinstance(event, MemberAdded):
            return self._start_without_join()
        if event.member.user_id != self._own_user_id:
            return []
        self._awaiting_join = False
        return self.start(event.rev, event.member.read_seq)

    def _start_without_join(self) -> list[Event]:
        self._awaiting_join = False
        return self.start(0)

    def _replay(self, message: Message) -> list[Event]:
        known = message.message_id in self._timeline or message.seq <= self._start_seq
        if not self._put(message) or message.rev <= self._start_rev:
            return []
        return [replay_message(message, known=known)]

    def _announce(self, conversation: Conversation) -> list[Event]:
        self.apply_local(conversation)
        return [ConversationCreated(conversation=conversation, replayed=True)]

    def _emit_differences(self, conversation: Conversation) -> list[Event]:
        before_info, before_members, were_known = self._info, self.members, self._membership.known
        self._replace_info(conversation)
        self._membership.apply_snapshot(conversation)
        events: list[Event] = []
        if before_info is not None and self._info is not None:
            events += replay_settings(before_info, self._info)
        if were_known and self._membership.known:
            events += replay_members(conversation, before_members, self.members)
            self._membership.mark_emitted(events)
        return events

    def _replace_info(self, conversation: Conversation) -> bool:
        """Stores the snapshot unless the stored one is newer; returns whether the settings changed."""
        before = self._info
        self._membership.advance_receipt(self._own_user_id, conversation.read_seq, conversation.read_seq)
        if before is not None and conversation.rev < before.rev:
            return False
        self._info = conversation
        return before is None or settings_of(before) != settings_of(conversation)
