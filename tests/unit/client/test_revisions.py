"""Which changes may be applied, which are buffered, and which are missing."""

import pytest
from parley_client.contract import Message
from parley_client.events import ChangeEvent, MessageCreated
from parley_client.revisions import RevisionOrder


def change(rev: int) -> ChangeEvent:
    return MessageCreated(message=Message(message_id=f"m{rev}", conversation_id="c", seq=rev, rev=rev))


@pytest.fixture
def order() -> RevisionOrder:
    """An order that starts after rev 4."""
    order = RevisionOrder()
    order.start(4)
    return order


def test_the_next_change_is_due_and_so_is_any_old_one(order: RevisionOrder) -> None:
    assert [order.can_apply(rev) for rev in (1, 4, 5, 6)] == [True, True, True, False]


def test_a_change_further_on_waits_for_those_before_it(order: RevisionOrder) -> None:
    order.buffer(6, change(6))
    order.buffer(7, change(7))
    assert order.behind
    assert order.pop_ready() is None

    order.mark_applied(5)

    assert [order.pop_ready(), order.pop_ready(), order.pop_ready()] == [[change(6)], [change(7)], None]
    assert (order.applied, order.behind) == (7, False)


def test_the_answer_to_an_own_request_may_overtake_the_events_before_it(order: RevisionOrder) -> None:
    order.mark_applied(6)
    assert (order.applied, order.behind) == (4, True)

    order.mark_applied(5)

    assert order.pop_ready() == []
    assert (order.applied, order.behind) == (6, False)


def test_events_of_one_change_wait_together_and_each_once(order: RevisionOrder) -> None:
    order.buffer(6, change(6))
    order.buffer(6, change(60))
    order.buffer(6, change(6))
    order.mark_applied(5)

    assert order.pop_ready() == [change(6), change(60)]


def test_a_sync_drops_the_changes_that_waited_for_it(order: RevisionOrder) -> None:
    order.buffer(6, change(6))
    order.buffer(8, change(8))

    order.mark_applied_through(7)

    assert order.pop_ready() == [change(8)]
    assert order.applied == 8


def test_nothing_takes_back_what_was_applied(order: RevisionOrder) -> None:
    order.mark_applied_through(2)
    order.mark_applied(3)

    assert order.applied == 4


def test_observing_a_rev_is_enough_to_be_behind(order: RevisionOrder) -> None:
    order.observe_rev(4)
    assert not order.behind

    order.observe_rev(5)

    assert order.behind


def test_before_the_beginning_everything_waits() -> None:
    order = RevisionOrder()
    order.buffer(3, change(3))
    order.buffer(6, change(6))
    assert not order.can_apply(1)
    assert not order.behind

    assert order.start(5) == [change(3)]

    assert order.pop_ready() == [change(6)]


@pytest.mark.parametrize(("held", "applied"), [([6, 7], 5), ([], 0)])
def test_without_a_rev_it_begins_just_before_what_waits(held: list[int], applied: int) -> None:
    order = RevisionOrder()
    for rev in held:
        order.buffer(rev, change(rev))

    assert order.start(None) == []

    assert order.applied == applied


def test_what_waits_is_bounded_and_what_is_dropped_is_still_known_to_be_missing(order: RevisionOrder) -> None:
    for rev in range(6, 1_007):
        order.buffer(rev, change(rev))

    order.mark_applied(5)

    assert order.pop_ready() is None
    assert (order.applied, order.head, order.behind) == (5, 1_006, True)
