"""The violations of a rolling restart, which allows fewer errors than faults do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.history import History, Problems
from tests.faults.rolling import undisturbed


def close_for_a_restart(problems: Problems) -> None:
    problems.closes[1012] += 1


def refuse_what_is_not_theirs(problems: Problems) -> None:
    problems.errors["message.list", "PERMISSION_DENIED", "NOT_A_MEMBER"] += 1


@pytest.mark.parametrize("allowed", [close_for_a_restart, refuse_what_is_not_theirs])
def test_graceful_closes_and_correct_refusals_are_allowed(allowed: Callable[[Problems], None]) -> None:
    history = History()
    allowed(history.problems)
    assert list(undisturbed(history, [])) == []


def fail_for_now(problems: Problems) -> None:
    problems.errors["message.send", "UNAVAILABLE", "SHUTTING_DOWN"] += 1


def close_ungracefully(problems: Problems) -> None:
    problems.closes[1006] += 1


def refuse_an_upgrade(problems: Problems) -> None:
    problems.refused_upgrades[503] += 1


def lose_a_request(problems: Problems) -> None:
    problems.lost["message.edit"] += 1


@pytest.mark.parametrize(
    ("disrupt", "rule"),
    [
        (fail_for_now, "error during a rolling restart"),
        (close_ungracefully, "connection closed ungracefully"),
        (refuse_an_upgrade, "upgrade refused during a rolling restart"),
        (lose_a_request, "request lost during a rolling restart"),
    ],
)
def test_errors_that_faults_may_cause_are_violations(disrupt: Callable[[Problems], None], rule: str) -> None:
    history = History()
    disrupt(history.problems)
    assert [violation.rule for violation in undisturbed(history, [])] == [rule]


def test_a_process_that_had_to_be_killed_is_a_violation() -> None:
    (violation,) = undisturbed(History(), ["chat-1: is killed: no end after 10 s"])
    assert violation.rule == "process did not stop or start in time"
