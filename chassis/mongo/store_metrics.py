"""Metrics from the events of MongoDB's driver: command durations, failures, and whether a primary is known.

A command carries a batch of messages, so the cost per message is small.
"""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Histogram
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
    TopologyClosedEvent,
    TopologyDescriptionChangedEvent,
    TopologyListener,
    TopologyOpenedEvent,
)

from chassis.process.metrics import STORE_FAILURES, STORE_SECONDS, STORE_WRITABLE

_MICROSECONDS = 1_000_000


class _Commands(CommandListener):
    def started(self, event: CommandStartedEvent) -> None:
        pass

    def succeeded(self, event: CommandSucceededEvent) -> None:
        seconds, _ = _of(event.command_name)
        seconds.observe(event.duration_micros / _MICROSECONDS)

    def failed(self, event: CommandFailedEvent) -> None:
        seconds, failures = _of(event.command_name)
        seconds.observe(event.duration_micros / _MICROSECONDS)
        failures.inc()


@cache
def _of(command: str) -> tuple[Histogram, Counter]:
    """Returns the metrics of a command. Both are created together, so that the first failure is a change from 0."""
    return STORE_SECONDS.labels(command), STORE_FAILURES.labels(command)


class _Topology(TopologyListener):
    def opened(self, event: TopologyOpenedEvent) -> None:
        STORE_WRITABLE.set(0)

    def description_changed(self, event: TopologyDescriptionChangedEvent) -> None:
        STORE_WRITABLE.set(event.new_description.has_writable_server())

    def closed(self, event: TopologyClosedEvent) -> None:
        STORE_WRITABLE.set(0)


def store_listeners() -> tuple[CommandListener | TopologyListener, ...]:
    """Returns the `event_listeners` for a MongoDB client."""
    return _Commands(), _Topology()
