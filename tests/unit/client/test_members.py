"""The members of a conversation, after late, repeated and bulk changes."""

from parley_client.contract import Conversation, Member
from parley_client.events import MemberAdded, MemberRemoved, MemberUpdated
from parley_client.members import Membership


def snapshot(rev: int, *members: Member, count: int | None = None) -> Conversation:
    return Conversation(
        conversation_id="c", rev=rev, members=list(members), member_count=len(members) if count is None else count
    )


def added(user_id: str, rev: int, read_seq: int = 0) -> MemberAdded:
    return MemberAdded(conversation_id="c", member=Member(user_id=user_id, read_seq=read_seq), rev=rev)


def removed(user_id: str, rev: int) -> MemberRemoved:
    return MemberRemoved(conversation_id="c", member=Member(user_id=user_id), rev=rev)


def promoted(user_id: str, rev: int) -> MemberUpdated:
    return MemberUpdated(conversation_id="c", member=Member(user_id=user_id, role="admin"), rev=rev)


def of(*members: Member) -> Membership:
    membership = Membership()
    membership.apply_snapshot(snapshot(5, *members))
    return membership


def test_one_change_may_bring_several_members_each_of_whom_is_new_once() -> None:
    membership = of(Member(user_id="ann"))

    new = [membership.apply(event) for event in (added("bob", 6), added("cid", 6), added("bob", 6))]

    assert new == [True, True, False]
    assert list(membership.members()) == ["ann", "bob", "cid"]


def test_what_is_older_than_what_is_known_changes_nothing() -> None:
    membership = of(Member(user_id="ann"))
    membership.apply(removed("ann", 7))

    assert not membership.apply(added("ann", 6))
    membership.apply_snapshot(snapshot(6, Member(user_id="ann")))

    assert membership.members() == {}


def test_an_event_that_a_snapshot_has_overtaken_is_not_new_once_it_was_replayed() -> None:
    membership = of(Member(user_id="ann"))
    membership.apply_snapshot(snapshot(6, Member(user_id="ann"), Member(user_id="bob")))
    membership.mark_emitted([added("bob", 6)])

    assert not membership.apply(added("bob", 6))


def test_roles_follow_events() -> None:
    membership = of(Member(user_id="ann"))

    assert membership.apply(promoted("ann", 6))

    assert membership.members()["ann"].role == "admin"


def test_receipts_only_move_forward_and_reading_is_having_received() -> None:
    membership = of(Member(user_id="ann", read_seq=3, delivered_seq=5))

    assert not membership.advance_receipt("ann", 2, 4)
    assert membership.advance_receipt("ann", 7, 0)

    assert membership.members()["ann"] == Member(user_id="ann", read_seq=7, delivered_seq=7)


def test_an_old_snapshots_receipts_do_not_take_newer_ones_back() -> None:
    membership = of(Member(user_id="ann", read_seq=3))
    membership.advance_receipt("ann", 9, 9)

    membership.apply_snapshot(snapshot(6, Member(user_id="ann", read_seq=4)))

    assert membership.read_seq("ann") == 9


def test_a_receipt_that_overtakes_the_joining_is_kept() -> None:
    membership = of(Member(user_id="ann"))
    membership.advance_receipt("bob", 4, 4)

    membership.apply(added("bob", 6, read_seq=2))

    assert membership.members()["bob"].read_seq == 4


def test_a_large_group_is_counted_where_it_is_not_listed() -> None:
    membership = Membership()
    membership.apply_snapshot(snapshot(5, count=300))
    assert not membership.known

    new = [membership.apply(event) for event in (added("x", 6), added("x", 6), removed("y", 7), promoted("z", 8))]

    assert new == [True, False, True, True]
    assert (membership.count, membership.members()) == (300, {})


def test_a_group_that_grows_out_of_its_list_forgets_it() -> None:
    membership = of(Member(user_id="ann"))

    membership.apply_snapshot(snapshot(6, count=201))

    assert (membership.known, membership.count, membership.members()) == (False, 201, {})
