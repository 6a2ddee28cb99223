"""The benchmarks' arithmetic, on data with known figures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import latencies, medians, percentile, ratios
from bench.meter import GENERATOR, Reading, cost
from bench.plans import SCENARIOS, Size, steps
from bench.profile import shares
from bench.results import Result, number, save


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([15, 20, 35, 40, 50], 5, 15),
        ([15, 20, 35, 40, 50], 30, 20),
        ([15, 20, 35, 40, 50], 40, 20),
        ([15, 20, 35, 40, 50], 50, 35),
        ([15, 20, 35, 40, 50], 100, 50),
        ([7], 0, 7),
        (list(range(1, 1_001)), 99, 990),
        (list(range(1, 1_001)), 99.9, 999),
    ],
)
def test_percentiles_are_those_of_the_nearest_rank(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(percentile([], 50))


@given(st.lists(st.floats(0, 1_000), min_size=1), st.floats(0.1, 100))
def test_so_many_percent_are_not_above_a_percentile(values: list[float], percent: float) -> None:
    result = percentile(sorted(values), percent)
    assert result in values
    assert sum(value <= result for value in values) >= len(values) * percent / 100 - 1e-9


def test_latencies_are_in_milliseconds_whatever_the_order() -> None:
    assert latencies("ack", [0.003, 0.001, 0.002]) == {"ack_p50_ms": 2.0, "ack_p99_ms": 3.0, "ack_p999_ms": 3.0}


def test_the_median_of_three_runs_counts() -> None:
    runs = [{"a": 3.0, "b": 1.0}, {"a": 1.0, "b": 9.0}, {"a": 2.0}]
    assert medians(runs) == {"a": 2.0}


def test_ratios_are_of_what_both_have() -> None:
    assert ratios({"a": 30.0, "b": 1.0, "c": 5.0}, {"a": 2.0, "b": 0.0}) == {"a": 15.0}


@pytest.mark.parametrize(("generator", "limited"), [(1.7, 0.0), (1.9, 1.0)])
def test_cost_is_for_each_message_and_says_when_the_generator_was_the_limit(generator: float, limited: float) -> None:
    before = Reading(10.0, {"chat": 1.0, "mongod": 2.0, GENERATOR: 0.0})
    after = Reading(12.0, {"chat": 1.5, "mongod": 3.0, GENERATOR: generator})
    figures = cost(before, after, 10_000)
    assert figures["cpu_chat_us"] == pytest.approx(50)
    assert figures["cpu_mongod_us"] == pytest.approx(100)
    assert figures["cpu_servers_us"] == pytest.approx(150)
    assert figures[f"cpu_{GENERATOR}_us"] == pytest.approx(generator * 100)
    assert figures["generator_limited"] == limited


@pytest.mark.parametrize("size", Size)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_has_steps_at_every_size(scenario: str, size: Size) -> None:
    assert steps(scenario, size)


def test_results_say_what_they_were_measured_on(tmp_path: Path) -> None:
    path = save([Result("direct", "parley", [{"a": 1.0}], {"a": 1.0}, {"a": 15.0})], tmp_path)
    saved = json.loads(path.read_text())
    assert saved["results"][0]["ratios"] == {"a": 15.0}
    assert saved["machine"]["cpus"] >= 1
    assert saved["versions"]["grpcio"]
    assert saved["commit"]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (15_432.1, "15,432"), (0.1234, "0.123"), (17.06, "17.1"), (0.0, "0")]
)
def test_figures_are_shown_with_the_digits_that_say_something(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_profile_counts_functions_once_a_stack_and_the_main_thread_alone() -> None:
    stacks = "\n".join(
        (
            "_run_code (runpy.py:88);work (a.py:1);again (a.py:5);work (a.py:2) 3",
            "_run_code (runpy.py:88);work (a.py:9) 2",
            "Thread.run (threading.py:1);poll (b.py:2) 50",
        )
    )
    own, within, total = shares(stacks)
    assert total == 5
    assert own == {"work (a.py)": 5}
    assert within == {"_run_code (runpy.py)": 5, "work (a.py)": 5, "again (a.py)": 3}
