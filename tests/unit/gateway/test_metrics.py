"""The counters of the hot path are read at each scrape."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from gateway.metrics import HotPathCounters


def test_counts_and_gauges_are_those_of_the_moment() -> None:
    registry, counters, queue = CollectorRegistry(), HotPathCounters(), [1, 2]
    registry.register(counters)
    counters.add_gauge("parley_gateway_messages_waiting", queue.__len__)
    counters.frames_in += 3
    queue.append(3)
    lines = generate_latest(registry).decode().splitlines()
    assert "parley_gateway_frames_in_total 3.0" in lines
    assert "parley_gateway_messages_waiting 3.0" in lines
