"""Every scenario of the benchmark at a tiny size, on the real stack: checks the figures' consistency, not speed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bench.figures import Figures
from bench.parley import Parley, parley
from bench.plans import SCENARIOS, Size, steps
from bench.scenarios import storm


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[Parley]:
    """A stack for all scenarios."""
    async with parley() as running:
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_scenario_counts_what_happened(system: Parley, scenario: str) -> None:
    for step in steps(scenario, Size.TINY):
        figures = await step.run(system)
        assert all(value >= 0 for name, value in figures.items() if not name.endswith("growth_percent")), figures
        _CHECKS[scenario](figures)


def _talk(figures: Figures) -> None:
    assert figures["acknowledged_per_s"] > 0
    assert figures["delivered_per_s"] > 0
    for what in ("ack", "receive"):
        assert 0 < figures[f"{what}_p50_ms"] <= figures[f"{what}_p99_ms"] <= figures[f"{what}_p999_ms"]
    parts = [value for name, value in figures.items() if name.startswith("cpu_") and name != "cpu_servers_us"]
    assert figures["cpu_servers_us"] == pytest.approx(sum(parts) - figures["cpu_generator_us"])


def _connections(figures: Figures) -> None:
    assert figures["connected_per_s"] == pytest.approx(figures["connections"] / figures["connect_all_s"])


def _storm(figures: Figures) -> None:
    syncs = figures["clients"] * storm.CONVERSATIONS
    assert figures["syncs_per_s"] == pytest.approx(syncs / figures["all_back_s"])
    assert figures["back_p999_ms"] <= figures["all_back_s"] * 1_000


def _history(figures: Figures) -> None:
    assert figures["pages_per_s"] > 0
    assert figures["syncs_per_s"] > 0


def _growth(figures: Figures) -> None:
    assert figures["kept"] == pytest.approx(figures["full_per_s"] / figures["empty_per_s"])


def _flood(figures: Figures) -> None:
    assert figures["times_as_long"] == pytest.approx(figures["flooded_receive_p99_ms"] / figures["calm_receive_p99_ms"])
    assert figures["let_through"] > 0


def _soak(figures: Figures) -> None:
    _talk(figures)
    assert figures["chat_memory_kib"] > 0
    assert "mongod_growth_percent" not in figures


_CHECKS = {
    "flood": _flood,
    "soak": _soak,
    "growth": _growth,
    "direct": _talk,
    "rate": _talk,
    "group": _talk,
    "connections": _connections,
    "storm": _storm,
    "history": _history,
}
