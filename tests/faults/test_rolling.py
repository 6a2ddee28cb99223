"""What counts as noticed during a rolling restart: more than during faults, when some errors are allowed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.history import History, Problems
from tests.faults.rolling import nobody_noticed


def close_for_a_restart(problems: Problems) -> None:
    problems.closes[1012] += 1


def refuse_what_is_not_theirs(problems: Problems) -> None:
    problems.errors["message.list", "PERMISSION_DENIED", "NOT_A_MEMBER"] += 1


@pytest.mark.parametrize("allowed", [close_for_a_restart, refuse_what_is_not_theirs])
def test_farewells_and_earned_refusals_are_no_disturbance(allowed: Callable[[Problems], None]) -> None:
    history = History()
    allowed(history.problems)
    assert list(nobody_noticed(history, [])) == []


def fail_for_now(problems: Problems) -> None:
    problems.errors["message.send", "UNAVAILABLE", "SHUTTING_DOWN"] += 1


def end_without_a_farewell(problems: Problems) -> None:
    problems.closes[1006] += 1


def refuse_an_upgrade(problems: Problems) -> None:
    problems.refused_upgrades[503] += 1


def lose_a_request(problems: Problems) -> None:
    problems.lost["message.edit"] += 1


@pytest.mark.parametrize(
    ("disturb", "rule"),
    [
        (fail_for_now, "error during a rolling restart"),
        (end_without_a_farewell, "connection ended without a farewell"),
        (refuse_an_upgrade, "upgrade refused during a rolling restart"),
        (lose_a_request, "request lost during a rolling restart"),
    ],
)
def test_what_may_happen_while_things_break_is_a_disturbance_here(
    disturb: Callable[[Problems], None], rule: str
) -> None:
    history = History()
    disturb(history.problems)
    assert [violation.rule for violation in nobody_noticed(history, [])] == [rule]


def test_a_process_that_had_to_be_killed_is_a_disturbance() -> None:
    (violation,) = nobody_noticed(History(), ["chat-1: is killed: no end after 10 s"])
    assert violation.rule == "process did not stop or start in time"
