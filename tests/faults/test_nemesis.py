"""The plan of a run: determined by the seed, and with every kind of fault."""

from __future__ import annotations

from tests.faults.faults import USUAL
from tests.faults.nemesis import plan
from tests.faults.population import Habit, populate


def test_the_seed_determines_the_plan() -> None:
    assert plan(7, 50, 3.0) == plan(7, 50, 3.0)
    assert plan(7, 50, 3.0) != plan(8, 50, 3.0)


def test_every_kind_occurs_before_any_repeats_except_in_pairs() -> None:
    kinds = [round_.faults[0].kind for round_ in plan(1, 2 * len(USUAL), 3.0)]
    assert set(kinds) == set(USUAL)


def test_a_plan_may_be_limited_to_some_kinds() -> None:
    rounds = plan(1, 20, 3.0, ["cut", "kill chat"])
    assert {fault.kind for round_ in rounds for fault in round_.faults} == {"cut", "kill chat"}


def test_simultaneous_faults_have_different_targets() -> None:
    for round_ in plan(3, 500, 3.0):
        targets = [fault.target for fault in round_.faults]
        assert not any(a != b and a.startswith(b) for a in targets for b in targets)
        assert len(set(targets)) == len(targets)


def test_the_seed_determines_the_population_which_has_every_habit() -> None:
    assert populate(1, 24, 2) == populate(1, 24, 2)
    assert {user.habit for user in populate(1, 24, 2).users} == set(Habit)
    assert sum(user.devices for user in populate(1, 24, 2).users) >= 24
