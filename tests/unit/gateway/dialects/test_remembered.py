"""The state that dialects keep of a connection: enough to send every event once, and limited in size."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st
from parley.chat.v1.chat_pb2 import Member, Message

from gateway.dialects.projects import dialect as projects
from gateway.dialects.telecom import dialect as telecom

CONVERSATIONS = st.sampled_from("abc")
SEQS = st.integers(1, 12)


def message(conversation_id: str, seq: int) -> Message:
    return Message(conversation_id=conversation_id, seq=seq, message_id=f"{conversation_id}{seq}")


@given(st.lists(st.tuples(st.sampled_from(["sent", "delivered"]), CONVERSATIONS, SEQS), max_size=60))
def test_the_sender_sees_each_message_delivered_once(steps: list[tuple[str, str, int]]) -> None:
    state = telecom.ConnectionState()
    last: dict[str, int] = defaultdict(int)
    waiting: dict[str, list[int]] = defaultdict(list)
    for step, conversation_id, number in steps:
        if step == "sent":
            last[conversation_id] += number  # others' messages are between own ones
            waiting[conversation_id].append(last[conversation_id])
            state.sent(message(conversation_id, last[conversation_id]))
        else:
            mark = last[conversation_id] - 6 + number
            delivered = state.delivered(conversation_id, mark)
            assert delivered == [f"{conversation_id}{seq}" for seq in waiting[conversation_id] if seq <= mark]
            waiting[conversation_id] = [seq for seq in waiting[conversation_id] if seq > mark]
    assert {key: [seq for seq, _ in queue] for key, queue in state.undelivered.items()} == {
        key: seqs for key, seqs in waiting.items() if seqs
    }


def test_of_very_many_messages_that_nobody_gets_the_first_are_forgotten() -> None:
    state = telecom.ConnectionState()
    most = telecom._UNDELIVERED_PER_CONVERSATION
    for seq in range(1, most + 11):
        state.sent(message("a", seq))
    assert state.delivered("a", most + 10) == [f"a{seq}" for seq in range(11, most + 11)]
    for number in range(telecom._UNDELIVERED_CONVERSATIONS + 10):
        state.sent(message(f"conversation-{number}-", 1))
    assert len(state.undelivered) == telecom._UNDELIVERED_CONVERSATIONS
    assert state.delivered("conversation-0-", 1) == []
    assert state.delivered("conversation-10-", 1) == ["conversation-10-1"]


USERS = st.sampled_from(["ann", "bob"])


@given(
    st.dictionaries(USERS, st.integers(0, 12)),
    st.lists(
        st.tuples(st.just("note"), st.lists(SEQS, max_size=4)) | st.tuples(USERS, st.integers(0, 12)), max_size=40
    ),
)
def test_exactly_the_newly_read_messages_are_named(
    marks: dict[str, int], steps: list[tuple[str, list[int] | int]]
) -> None:
    window = projects.Window()
    window.add_read_marks(Member(user_id=user_id, read_seq=seq) for user_id, seq in marks.items())
    known: set[int] = set()
    read = {user_id: set(range(1, seq + 1)) for user_id, seq in marks.items()}
    for who, what in steps:
        if isinstance(what, list):
            window.add_messages(message("a", seq) for seq in what)
            known |= set(what)
        else:
            before = read.setdefault(who, set())
            expected = sorted((known & set(range(1, what + 1))) - before)
            assert window.newly_read(who, what) == [f"a{seq}" for seq in expected]
            read[who] = before | set(range(1, what + 1))


def test_reading_ones_own_messages_is_not_reported() -> None:
    """As in messages, whose `readBy` leaves out the sender."""
    window = projects.Window()
    window.add_messages(
        Message(seq=seq, message_id=f"m{seq}", sender_id=sender) for seq, sender in enumerate(("ann", "bob", "ann"), 1)
    )
    assert window.newly_read("ann", 3) == ["m2"]
    assert window.newly_read("bob", 3) == ["m1", "m3"]


def test_a_window_holds_the_latest_messages_in_whatever_order_they_come() -> None:
    most = projects._WINDOW_MESSAGES
    for order in (range(1, most + 51), reversed(range(1, most + 51))):
        window = projects.Window()
        window.add_messages(message("a", seq) for seq in order)
        assert len(window.messages) == most
        assert window.newly_read("bob", most + 50) == [f"a{seq}" for seq in range(51, most + 51)]


def test_only_so_many_conversations_are_joined_at_once() -> None:
    state = projects.ConnectionState()
    most = projects._JOINED_CONVERSATIONS
    first = state.join("conversation-0")
    assert state.join("conversation-0") is first
    for number in range(most + 10):
        state.join(f"conversation-{number}")
    assert list(state.joined) == [f"conversation-{number}" for number in range(10, most + 10)]
