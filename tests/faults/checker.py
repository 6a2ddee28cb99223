"""The checker: a history in, broken promises out. Pure, so that doctored histories can show that it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tests.faults import check_people, check_store, check_views
from tests.faults.history import History
from tests.faults.violations import Violation

CHECKS: Final[tuple[Callable[[History], Iterator[Violation]], ...]] = (
    check_store.acknowledged_is_stored,
    check_store.posted_once,
    check_store.gapless,
    check_store.revisions_are_stored,
    check_store.member_changes_are_stored,
    check_views.readers_get_the_store,
    check_views.views_are_complete,
    check_views.one_order,
    check_views.nothing_leaks,
    check_people.unread_counts_are_right,
    check_people.everybody_is_notified,
    check_people.presence_is_true,
    check_people.errors_are_documented,
)


def check(history: History) -> list[Violation]:
    """Every violation of every promise."""
    return [violation for one in CHECKS for violation in one(history)]
