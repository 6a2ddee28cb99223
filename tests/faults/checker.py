"""The checker: a pure function from a history to violations, so that tests can give it manipulated histories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tests.faults import check_store, check_users, check_views
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
    check_users.unread_counts_are_right,
    check_users.notifications_are_right,
    check_users.presence_is_true,
    check_users.errors_are_documented,
)


def check(history: History) -> list[Violation]:
    """Returns all violations of all guarantees."""
    return [violation for run_check in CHECKS for violation in run_check(history)]
