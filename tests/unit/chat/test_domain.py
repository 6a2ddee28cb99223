"""Tests of sequencing, of the order of times, and of derived ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.chat.domain import Change, ChangeKind, Head, Member, MemberRole, Message, advance, may_delete, successor
from services.chat.ids import direct_conversation_id, message_id_of
from services.chat.sequencing import Draft, assign_seq

START = Head(seq=0, rev=0, last_message_id="", last_message_ms=0, changed_ms=0)


def draft(key: str) -> Draft:
    return Draft("acme", "c", "ann", "Ann", "", key, message_id_of("acme", "c", "ann", key), 1, "hello")


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(min_value=0, max_value=10**12))))
def test_numbers_have_no_gaps_and_times_never_run_backwards(steps: list[tuple[bool, int]]) -> None:
    head, messages = START, list[Message]()
    for step, (is_message, now_ms) in enumerate(steps):
        if is_message:
            messages.append(assign_seq(draft(str(step)), (), head, now_ms))
            head = advance(head, messages[-1])
        else:
            head = advance(head, Change("c", head.rev + 1, head.seq, ChangeKind.UPDATED, "ann", now_ms))
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
    assert head.rev == len(steps)
    assert head.seq == len(messages)
    assert [m.create_ms for m in messages] == sorted(m.create_ms for m in messages)
    assert head.last_message_id == (messages[-1].message_id if messages else "")


parts = st.text(max_size=6)


@given(one=st.tuples(parts, parts, parts, parts), other=st.tuples(parts, parts, parts, parts))
def test_ids_differ_unless_every_part_is_the_same(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    assert (message_id_of(*one) == message_id_of(*other)) is (one == other)


def test_parts_that_would_run_together_keep_apart() -> None:
    assert message_id_of("acme", "c", "ann", "1") != message_id_of("acme", "ca", "nn", "1")


@given(one=parts, other=parts)
def test_both_sides_find_the_same_direct_conversation(one: str, other: str) -> None:
    assert direct_conversation_id("acme", one, other) == direct_conversation_id("acme", other, one)
    assert direct_conversation_id("acme", one, other) != direct_conversation_id("initech", one, other)


def test_a_group_passes_to_the_longest_standing_admin_else_member() -> None:
    owner = Member("ann", MemberRole.OWNER, joined_rev=1)
    bob = Member("bob", MemberRole.MEMBER, joined_rev=1)
    cat = Member("cat", MemberRole.ADMIN, joined_rev=7)
    dan = Member("dan", MemberRole.ADMIN, joined_rev=5)
    assert successor([owner, bob, cat, dan], "ann") == "dan"
    assert successor([owner, bob], "ann") == "bob"
    assert successor([owner], "ann") is None


def test_the_sender_and_those_in_charge_delete() -> None:
    message = assign_seq(draft("1"), (), START, 0)
    member = Member("bob", MemberRole.MEMBER)
    assert may_delete(message, Member("ann", MemberRole.MEMBER), "employee")
    assert may_delete(message, Member("bob", MemberRole.ADMIN), "employee")
    assert may_delete(message, member, "manager")
    assert not may_delete(message, member, "employee")


def test_a_tombstone_keeps_ids_and_times_and_nothing_else() -> None:
    message = assign_seq(draft("1"), (), START, 5)
    gone = message.tombstone(9, 7)
    assert (gone.message_id, gone.seq, gone.sent_rev, gone.create_ms) == (message.message_id, 1, 1, 5)
    assert (gone.text, gone.attachments, gone.mentions, gone.rev, gone.delete_ms) == ("", (), (), 9, 7)
