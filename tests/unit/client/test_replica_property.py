"""The replica converges to the service's state, and emits each change once, whatever is lost, repeated, late or
reordered.
"""

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from parley_client.apply_response import apply_response
from parley_client.contract import Conversation, EditMessageResponse, Member, Message
from parley_client.conversation_state import ConversationState
from parley_client.events import Event, MessageCreated, MessageDeleted, MessageUpdated
from parley_client.replica import Replica

from tests.unit.client.conversation_log import CONVERSATION_ID, ME, ConversationLog

_OTHERS = ("ann", "bob", "cid")
_picks = st.integers(min_value=0, max_value=1_000)
_page_sizes = st.integers(min_value=1, max_value=3)


def new_replica() -> Replica:
    replica = Replica()
    replica.set_user(ME)
    return replica


def settle(replica: Replica, log: ConversationLog, page_size: int = 100) -> list[Event]:
    """Syncs until the replica is not out of sync, as a client does after a reconnect."""
    events: list[Event] = []
    while CONVERSATION_ID in replica.out_of_sync:
        if ME not in log.members:
            return events + replica.remove_inaccessible(CONVERSATION_ID)
        after_rev = replica.conversation(CONVERSATION_ID).applied_rev
        events += replica.merge_page(CONVERSATION_ID, after_rev, log.sync(after_rev, page_size))
    return events


def load_history(replica: Replica, log: ConversationLog, page_size: int = 2) -> list[Event]:
    events: list[Event] = []
    after_rev, has_more = 0, True
    while has_more:
        page = log.sync(after_rev, page_size)
        events += replica.merge_page(CONVERSATION_ID, after_rev, page)
        after_rev, has_more = (page.messages[-1].rev if page.messages else after_rev), page.has_more
    return events


View = tuple[list[Message], dict[str, Member], str, int, int]


def view_of(state: ConversationState) -> View:
    assert state.info is not None
    return state.messages, state.members, state.info.name, state.applied_rev, state.unread_count


def true_view(log: ConversationLog) -> View:
    conversation: Conversation = log.snapshot()
    members = {user: log.members[user] for user in sorted(log.members)}
    return list(log.messages.values()), members, log.name, log.rev, conversation.unread_count


class History(RuleBasedStateMachine):
    """A service with one conversation, a network that loses, repeats and reorders events, and a client's replica."""

    def __init__(self) -> None:
        super().__init__()
        self.log = ConversationLog()
        self.replica = new_replica()
        self.network: list[Event] = []
        self.emitted: list[Event] = []
        self.answered: set[tuple[str, int]] = set()
        self.known_rev = 0

    @initialize(before=st.booleans(), old_messages=st.integers(min_value=0, max_value=3))
    def start(self, before: bool, old_messages: int) -> None:
        """Starts the client before the conversation exists, or loads it with messages."""
        if not before:
            self.replica.mark_loaded()
        self.log.create("ann", ME, "bob")
        if before:
            for number in range(old_messages):
                self.log.send("ann", f"old {number}")
            self.log.publish()
            self.emitted += self.replica.apply_snapshot(self.log.snapshot())
            self.emitted += self.replica.mark_loaded()
            self.known_rev = self.log.rev

    # Users.

    @rule(sender=st.sampled_from(_OTHERS))
    def send(self, sender: str) -> None:
        if sender in self.log.members:
            self.log.send(sender, f"text {self.log.rev}")

    @rule(answered=st.booleans())
    def send_oneself(self, answered: bool) -> None:
        if ME not in self.log.members:
            return
        client_message_id = f"c{self.log.rev}"
        body = {"conversationId": CONVERSATION_ID, "clientMessageId": client_message_id, "text": "mine"}
        sent = self.log.send(ME, "mine", client_message_id)
        if answered:
            self.answered.add((sent.message_id, sent.rev))
            self.emitted += apply_response(self.replica, ME, "message.send", body, sent)

    @precondition(lambda self: self.log.messages)
    @rule(pick=_picks, answered=st.booleans())
    def edit(self, pick: int, answered: bool) -> None:
        message = self._pick_message(pick)
        if message.delete_time is None:
            self._answer("message.edit", self.log.edit(message.message_id, f"edited {self.log.rev}"), answered)

    @precondition(lambda self: self.log.messages)
    @rule(pick=_picks, answered=st.booleans())
    def delete(self, pick: int, answered: bool) -> None:
        message = self._pick_message(pick)
        if message.delete_time is None:
            self._answer("message.delete", self.log.delete(message.message_id), answered)

    @rule(users=st.sets(st.sampled_from(_OTHERS), min_size=1))
    def add(self, users: set[str]) -> None:
        absent = sorted(users - self.log.members.keys())
        if absent:
            self.log.add(*absent)

    @rule(user=st.sampled_from(_OTHERS))
    def remove(self, user: str) -> None:
        if user in self.log.members:
            self.log.remove(user)

    @rule(user=st.sampled_from(_OTHERS), role=st.sampled_from(["admin", "member"]))
    def set_role(self, user: str, role: str) -> None:
        if user in self.log.members and self.log.members[user].role != role:
            self.log.set_role(user, role)

    @rule()
    def rename(self) -> None:
        self.log.rename(f"name {self.log.rev}")

    @rule(user=st.sampled_from((*_OTHERS, ME)), pick=_picks)
    def read(self, user: str, pick: int) -> None:
        if user == ME and CONVERSATION_ID not in self.replica:
            return
        if user in self.log.members and self.log.seq:
            receipt = self.log.read(user, 1 + pick % self.log.seq)
            if ME in self.log.members:
                self.network.append(receipt)

    # The network.

    @rule(limit=st.integers(min_value=1, max_value=3))
    def publish(self, limit: int) -> None:
        self.network += self.log.publish(limit)

    @precondition(lambda self: self.network)
    @rule()
    def deliver_next(self) -> None:
        self.emitted += self.replica.apply(self.network.pop(0)).events

    @precondition(lambda self: self.network)
    @rule(pick=_picks)
    def deliver_out_of_order(self, pick: int) -> None:
        self.emitted += self.replica.apply(self.network.pop(pick % len(self.network))).events

    @precondition(lambda self: self.network)
    @rule(pick=_picks)
    def deliver_and_keep(self, pick: int) -> None:
        self.emitted += self.replica.apply(self.network[pick % len(self.network)]).events

    @precondition(lambda self: self.network)
    @rule(pick=_picks)
    def lose(self, pick: int) -> None:
        del self.network[pick % len(self.network)]

    # The client.

    @precondition(lambda self: CONVERSATION_ID in self.replica.out_of_sync and ME in self.log.members)
    @rule(page_size=_page_sizes)
    def sync_a_page(self, page_size: int) -> None:
        after_rev = self.replica.conversation(CONVERSATION_ID).applied_rev
        self.emitted += self.replica.merge_page(CONVERSATION_ID, after_rev, self.log.sync(after_rev, page_size))

    @precondition(lambda self: ME in self.log.members)
    @rule()
    def look_up(self) -> None:
        self.emitted += self.replica.apply_snapshot(self.log.snapshot())

    @invariant()
    def each_message_change_is_emitted_once(self) -> None:
        counts = Counter((event.message.message_id, event.message.rev) for event in self._emitted_messages())
        assert all(count == 1 for count in counts.values())

    def teardown(self) -> None:
        """Lists and syncs everything, in pages, at the end; then delivers the late events, which must all be old."""
        if ME in self.log.members and self.log.rev:
            self.emitted += self.replica.apply_snapshot(self.log.snapshot())
        self.emitted += settle(self.replica, self.log, page_size=2)
        if ME in self.log.members and self.log.rev:
            self.check_end()
            before = len(self.emitted)
            for event in [*self.network, *self.log.publish()]:
                self.emitted += self.replica.apply(event).events
            assert not [event for event in self.emitted[before:] if isinstance(event, MessageCreated | MessageUpdated)]
            self.emitted += settle(self.replica, self.log)
            self.check_end()
        super().teardown()

    def check_end(self) -> None:
        state = self.replica.conversation(CONVERSATION_ID)
        self.emitted += load_history(self.replica, self.log)
        assert view_of(state) == true_view(self.log)
        assert state.complete

    def _emitted_messages(self) -> list[MessageCreated | MessageUpdated | MessageDeleted]:
        return [event for event in self.emitted if isinstance(event, MessageCreated | MessageUpdated | MessageDeleted)]

    def _pick_message(self, pick: int) -> Message:
        messages = list(self.log.messages.values())
        return messages[pick % len(messages)]

    def _answer(self, op: str, message: Message, answered: bool) -> None:
        if answered and ME in self.log.members:
            self.answered.add((message.message_id, message.rev))
            self.emitted += apply_response(self.replica, ME, op, {}, EditMessageResponse(message=message))


class StayingMember(History):
    """A client whose user stays a member gets every change, in order."""

    @invariant()
    def messages_are_emitted_in_the_order_of_revs(self) -> None:
        """Except for a live event overtaken by a sync; it still comes before later changes of the same message."""
        latest = latest_replayed = 0
        for event in self._emitted_messages():
            rev = event.message.rev
            assert rev > latest or (rev < latest_replayed and not event.replayed)
            latest = max(latest, rev)
            latest_replayed = max(latest_replayed, rev if event.replayed else 0)

    def check_end(self) -> None:
        super().check_end()
        emitted = {(event.message.message_id, event.message.rev) for event in self._emitted_messages()}
        changed = {(m.message_id, m.rev) for m in self.log.messages.values() if m.rev > self.known_rev}
        assert changed <= emitted | self.answered


class LeavingMember(History):
    """A client whose user is removed and returns, whether it noticed or not, converges like any other."""

    @precondition(lambda self: ME in self.log.members)
    @rule()
    def remove_me(self) -> None:
        self.log.remove(ME)

    @precondition(lambda self: self.log.rev and ME not in self.log.members)
    @rule()
    def add_me(self) -> None:
        self.log.add(ME)


_SETTINGS = settings(max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
StayingMember.TestCase.settings = _SETTINGS
LeavingMember.TestCase.settings = _SETTINGS
TestStayingMember = StayingMember.TestCase
TestLeavingMember = LeavingMember.TestCase
