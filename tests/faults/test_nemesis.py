"""The plan of a run: the same for the same seed, and of every kind."""

from __future__ import annotations

from tests.faults.faults import USUAL
from tests.faults.nemesis import plan
from tests.faults.population import Habit, populate


def test_the_same_seed_makes_the_same_plan_and_another_one_another() -> None:
    assert plan(7, 50, 3.0) == plan(7, 50, 3.0)
    assert plan(7, 50, 3.0) != plan(8, 50, 3.0)


def test_every_kind_comes_before_any_comes_a_second_time_but_for_the_simultaneous_ones() -> None:
    kinds = [round_.faults[0].kind for round_ in plan(1, 2 * len(USUAL), 3.0)]
    assert set(kinds) == set(USUAL)


def test_a_plan_may_be_limited_to_some_kinds() -> None:
    rounds = plan(1, 20, 3.0, ["cut", "kill chat"])
    assert {fault.kind for round_ in rounds for fault in round_.faults} == {"cut", "kill chat"}


def test_faults_at_once_have_different_victims() -> None:
    for round_ in plan(3, 500, 3.0):
        targets = [fault.target for fault in round_.faults]
        assert not any(one != other and one.startswith(other) for one in targets for other in targets)
        assert len(set(targets)) == len(targets)


def test_everybody_follows_from_the_seed_and_every_habit_is_there() -> None:
    assert populate(1, 24, 2) == populate(1, 24, 2)
    assert {person.habit for person in populate(1, 24, 2).people} == set(Habit)
    assert sum(person.devices for person in populate(1, 24, 2).people) >= 24
