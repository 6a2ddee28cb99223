"""Reports of a run: JSON for programs, and text for people."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.run import Outcome
from tests.faults.violations import summary


def lines(outcome: Outcome) -> Iterator[str]:
    """Yields the lines of the text report."""
    history, problems = outcome.history, outcome.history.problems
    yield f"seed {outcome.options.seed}: {outcome.seconds:.0f} s, {history.acknowledged} messages acknowledged"
    yield f"sends: {len(history.sends)}, attempts {sum(send.attempts for send in history.sends.values())}"
    yield f"revisions: {len(history.revisions)}, changes of members: {len(history.member_changes)}"
    yield f"events: {sum(len(view.seen) for view in history.views)} in {len(history.views)} views"
    yield f"latency of acknowledgements (ms): {latency(outcome.latencies)}"
    yield f"CPU of the driver and its proxy: {outcome.driver_cores:.2f} cores"
    yield f"converged after (s): {outcome.converged}"
    kinds = Counter(done.fault.kind for done in outcome.faults)
    yield f"faults: {sum(kinds.values())} of {len(kinds)} kinds"
    yield from (f"    {kind}: {times}" for kind, times in sorted(kinds.items()))
    yield f"errors that clients received, most of them retried: {sum(problems.errors.values())}"
    for (op, code, reason), times in sorted(problems.errors.items()):
        yield f"    {op}: {code} {reason}: {times}"
    yield f"connections closed, by code: {dict(sorted(problems.closes.items()))}"
    yield f"upgrades refused, by status: {dict(sorted(problems.refused_upgrades.items()))}"
    yield f"requests lost with their connection: {dict(sorted(problems.lost.items()))}"
    yield f"processes that ended by themselves: {len(outcome.crashes)}"
    yield from (f"    {crash}" for crash in outcome.crashes)
    yield f"VIOLATIONS: {len(outcome.violations)}"
    yield from summary(outcome.violations)


def latency(seconds: Sequence[float]) -> dict[str, float]:
    """Returns percentiles in ms."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    at = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {
        name: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1) for name, share in at.items()
    }


def keep(outcome: Outcome, path: Path) -> None:
    """Saves the history for analysis of the violations; `pickle.load` reads it."""
    with path.open("wb") as file:
        pickle.dump(outcome.history, file)


def write(outcome: Outcome, path: Path) -> None:
    """Writes the report as JSON."""
    problems = outcome.history.problems
    options = outcome.options
    path.write_text(
        json.dumps(
            {
                "seed": options.seed,
                "rate": options.rate,
                "clients": options.clients,
                "organizations": options.organizations,
                "seconds": round(outcome.seconds, 1),
                "acknowledged": outcome.history.acknowledged,
                "events": sum(len(view.seen) for view in outcome.history.views),
                "latency_ms": latency(outcome.latencies),
                "driver_cores": round(outcome.driver_cores, 3),
                "converged_seconds": outcome.converged,
                "faults": [
                    {"fault": str(done.fault), "began": round(done.began, 2), "ended": round(done.ended, 2)}
                    for done in outcome.faults
                ],
                "errors": {" ".join(key): times for key, times in sorted(problems.errors.items())},
                "closes": {str(code): times for code, times in sorted(problems.closes.items())},
                "refused_upgrades": {str(status): times for status, times in sorted(problems.refused_upgrades.items())},
                "lost_requests": dict(sorted(problems.lost.items())),
                "crashes": outcome.crashes,
                "violations": [violation._asdict() for violation in outcome.violations],
            },
            indent=2,
        )
        + "\n"
    )
