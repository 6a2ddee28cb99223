"""One conversation as this client knows it: changes are applied in the order of their revs, each once; no I/O.

Two rules make that so, whatever comes late, twice or never:

- an event waits while one before it is missing, and a sync is asked for (`out_of_sync`);
- an event is passed on only when it is news: a message when it is newer than the one at hand, any other when its
  rev is, or when it still changes something.
"""

from collections.abc import Iterable

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
from parley_client.protocol import Conversation, Member, Message, SyncPage
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
    """What is known of one conversation. Read it through its properties; `Replica` changes it."""

    def __init__(self, conversation_id: str, own_user_id: str) -> None:
        self.conversation_id = conversation_id
        self._own_user_id = own_user_id
        self._info: Conversation | None = None
        self._membership = Membership()
        self._timeline = Timeline()
        self._order = RevisionOrder()
        # What stands at or before these was there before this client began: no news, unless it changes later.
        self._start_rev = 0
        self._start_seq = 0
        # The latest rev of a message that was passed on: what stands before it and the above only comes again.
        self._emitted_rev = 0
        self._awaiting_join = False
        # Whether the program knows of this conversation, by an event or by the answer to its own request.
        self._announced = False
        self.unverified = False

    # What a program reads.

    @property
    def info(self) -> Conversation | None:
        """The conversation as last told; its counters, members and last message may be older than this state's."""
        return self._info

    @property
    def messages(self) -> list[Message]:
        """The messages at hand, by seq, tombstones included."""
        return list(self._timeline)

    @property
    def complete(self) -> bool:
        """Whether all messages are at hand, from the first."""
        return len(self._timeline) == self.seq

    @property
    def members(self) -> dict[str, Member]:
        """The members by user id; empty above 200 members."""
        return self._membership.members()

    @property
    def member_count(self) -> int:
        """How many members there are."""
        return self._membership.count

    @property
    def applied_rev(self) -> int:
        """Every change up to this rev has been applied."""
        return self._order.applied or 0

    @property
    def head_rev(self) -> int:
        """The latest rev that is known to exist."""
        return self._order.head

    @property
    def known_member_rev(self) -> int:
        """A rev at which the user is known to have been a member."""
        return max(self.applied_rev, self._membership.rev)

    @property
    def started(self) -> bool:
        """Whether it is known where this client's knowledge begins."""
        return self._order.applied is not None

    @property
    def seq(self) -> int:
        """The seq of the latest message."""
        return max(self._timeline.last_seq, 0 if self._info is None else self._info.seq)

    @property
    def read_seq(self) -> int:
        """How far the user has read."""
        return self._membership.read_seq(self._own_user_id)

    @property
    def unread_count(self) -> int:
        """How many messages the user has not read."""
        return max(0, self.seq - self.read_seq)

    @property
    def last_message(self) -> Message | None:
        """The latest message, when it is at hand or was told with the conversation."""
        latest = self._timeline.last
        told = self._info.last_message if self._info is not None else None
        if latest is None or (told is not None and told.seq > latest.seq):
            return told
        return latest

    @property
    def out_of_sync(self) -> bool:
        """Whether a sync is needed."""
        if not self.started:
            return self._awaiting_join
        return self._order.behind or self._info is None or self.unverified

    def message(self, message_id: str) -> Message | None:
        """One message, when it is at hand."""
        return self._timeline.get(message_id)

    # What changes it. Each returns the events to pass on, in order.

    def start(self, after_rev: int | None, after_seq: int = 0) -> list[Event]:
        """Begins after a rev and seq: what is at or before them is taken for known.

        Without a rev it begins with what has come already.
        """
        early = self._order.start(after_rev)
        self._start_rev = self.applied_rev
        self._start_seq = after_seq
        return [*self._emit(early, fresh=False), *self._apply_buffered()]

    def start_new(self, conversation: Conversation, *, live: bool) -> None:
        """Begins with a conversation that was not known, so that whatever of it is news will come.

        Args:
            conversation: as it is now.
            live: it was presented by an event just now, and not found in a list after an absence.
        """
        if conversation.seq == 0:
            # The conversation itself tells all that has happened in it.
            self.start(conversation.rev)
        elif conversation.rev == conversation.seq + 1:
            # All but the first change, its making, are messages.
            self.start(1)
        elif live:
            # Most likely the user was added to one that is older; where, the event that comes next will tell.
            self._awaiting_join = True
        else:
            self.start(0)

    def apply(self, event: RevisionEvent) -> list[Event]:
        """Applies a live event, or lets it wait for those before it."""
        if isinstance(event, ConversationEvent):
            return self._apply_conversation_event(event)
        earlier = self._start_at_join(event) if self._awaiting_join else []
        rev = rev_of(event)
        if not self._order.can_apply(rev):
            self._order.buffer(rev, event)
            return earlier
        fresh = rev > self.applied_rev
        self._order.mark_applied(rev)
        return [*earlier, *self._emit([event], fresh=fresh), *self._apply_buffered()]

    def apply_local_message(self, message: Message) -> list[Event]:
        """Applies a change that this client made itself, as its answer tells; only what waited for it is passed on."""
        self._put(message)
        self._order.mark_applied(message.rev)
        return self._apply_buffered()

    def apply_local(self, conversation: Conversation) -> None:
        """Takes in what the answer to a change of this client's own says, without events."""
        self._announced = True
        self._order.observe_rev(conversation.rev)
        self._replace_info(conversation)
        self._membership.apply_snapshot(conversation)

    def add_history(self, messages: Iterable[Message]) -> None:
        """Takes in old messages without events; what is not old has its turn."""
        for message in messages:
            if message.rev <= self.applied_rev:
                self._put(message)

    def advance_receipt(self, user_id: str, read_seq: int, delivered_seq: int) -> bool:
        """Moves a user's receipt forward; says whether it moved."""
        return self._membership.advance_receipt(user_id, read_seq, delivered_seq)

    def apply_snapshot(self, conversation: Conversation) -> list[Event]:
        """Compares with the conversation as the server has it now; what is missing before that makes it out_of_sync."""
        self._order.observe_rev(conversation.rev)
        if not self._announced:
            return self._announce(conversation)
        return [] if self._order.behind or not self.started else self._emit_differences(conversation)

    def merge_page(self, after_rev: int, page: SyncPage) -> list[Event]:
        """Applies a page of the changes after a rev.

        The page accounts for every change from there to its last message, and the last page for every change up to
        the conversation's rev; pages that begin beyond what is applied leave a gap and account for nothing.
        """
        conversation = page.conversation
        events = self._start_without_join() if self._awaiting_join else []
        if conversation is not None and not self._announced:
            events += self._announce(conversation)
        events += [event for message in page.messages for event in self._replay(message)]
        if conversation is not None:
            self._order.observe_rev(conversation.rev)
        if after_rev <= self.applied_rev:
            self._order.mark_applied_through(max([after_rev, *(message.rev for message in page.messages)]))
            if conversation is not None and not page.has_more:
                self._order.mark_applied_through(conversation.rev)
        if conversation is not None and not page.has_more:
            self.unverified = False
            events += self._emit_differences(conversation)
        return [*events, *self._apply_buffered()]

    def _apply_buffered(self) -> list[Event]:
        events: list[Event] = []
        while (due := self._order.pop_ready()) is not None:
            events += self._emit(due, fresh=True)
        return events

    def _emit(self, events: Iterable[ChangeEvent], *, fresh: bool) -> list[Event]:
        return [event for event in events if self._is_new(event, fresh=fresh)]

    def _is_new(self, event: ChangeEvent, *, fresh: bool) -> bool:
        if not isinstance(event, MessageEvent):
            return self._membership.apply(event) or fresh
        rev = event.message.rev
        comes_again = rev <= self._start_rev and rev < self._emitted_rev
        self._emitted_rev = max(self._emitted_rev, rev)
        return self._put(event.message) and not comes_again

    def _put(self, message: Message) -> bool:
        """Takes in a message unless a state of it as new is at hand; whoever sends one has read up to it."""
        self._membership.advance_receipt(message.sender_id, message.seq, message.seq)
        return self._timeline.put(message)

    def _apply_conversation_event(self, event: ConversationEvent) -> list[Event]:
        """Applies what tells of the conversation as it is now, which never has to wait.

        Its rev is that of the conversation at the time of telling and not of a change, so it proves only that a change
        exists; unless settings differ from those of the rev before, which only a change of settings can have caused.
        """
        conversation = event.conversation
        self._order.observe_rev(conversation.rev)
        if isinstance(event, ConversationCreated):
            if self._announced:
                return []
            self.apply_local(conversation)
            return [event]
        if self._info is None:
            # The sync that it takes to present this conversation tells it, too.
            return []
        changed = shared_settings_of(self._info) != shared_settings_of(conversation)
        news = [event] if self._replace_info(conversation) else []
        if changed and self._order.can_apply(conversation.rev):
            self._order.mark_applied(conversation.rev)
        return [*news, *self._apply_buffered()]

    def _start_at_join(self, event: ChangeEvent) -> list[Event]:
        """Begins with the user's own joining: what was said before it counts as read, and is history.

        Others may have been added with the user. Anything else means that the joining was missed.
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
        """Takes in the conversation's fields unless newer ones are known; says whether that changed any."""
        before = self._info
        self._membership.advance_receipt(self._own_user_id, conversation.read_seq, conversation.read_seq)
        if before is not None and conversation.rev < before.rev:
            return False
        self._info = conversation
        return before is None or settings_of(before) != settings_of(conversation)
