"""One run: starts the stack, runs load and faults, waits for convergence, reads the store, and checks."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from tests.faults import convergence, gather
from tests.faults.checker import check
from tests.faults.faults import USUAL
from tests.faults.history import History
from tests.faults.nemesis import InflictedFault, Nemesis, plan
from tests.faults.participant import Participant, SharedState
from tests.faults.population import Habit, create, populate
from tests.faults.rolling import RollingRestart, undisturbed
from tests.faults.stack import REPLICAS, ProxiedStack, running_stack
from tests.faults.violations import Violation

_FINISH_SECONDS: Final = 120.0
_BETWEEN_LINES_SECONDS: Final = 10.0
_SHARE_OF_SENDS: Final = 0.7
# Users sign in while auth is restarted, so it needs two replicas.
_ROLLING_REPLICAS: Final = {**REPLICAS, "auth": 2}


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of a run. The same options give the same faults and the same actions.

    Attributes:
        seconds: the duration of load and faults.
        seed: the seed of all random choices.
        rate: messages per second, over all clients.
        clients: the approximate number of clients.
        organizations: the number of organizations.
        pause_seconds: the average time between faults.
        kinds: the kinds of faults; none for load without faults.
        rolling: restart every process in turn instead, without any error.
    """

    seconds: float = 90.0
    seed: int = 1
    rate: float = 100.0
    clients: int = 24
    organizations: int = 2
    pause_seconds: float = 3.0
    kinds: tuple[str, ...] = USUAL
    rolling: bool = False


@dataclass(slots=True)
class Outcome:
    """The outcome of a run."""

    options: RunOptions
    history: History
    violations: list[Violation] = field(default_factory=list)
    faults: list[InflictedFault] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    driver_cores: float = 0.0
    converged: dict[str, float | None] = field(default_factory=dict)


LogLine = Callable[[str], None]


class Disruption(Protocol):
    """Disrupts the stack during the load."""

    async def run(self, seconds: float) -> None:
        """Runs for about `seconds`."""
        ...


MakeDisruption = Callable[[ProxiedStack, Outcome, LogLine], Disruption]


async def run(
    options: RunOptions, directory: Path, log: LogLine, make_disruption: MakeDisruption | None = None
) -> Outcome:
    """Runs with options; `log` gets lines for the screen. `make_disruption` overrides the disruption of the options."""
    history = History()
    outcome = Outcome(options, history)
    population = populate(options.seed, options.clients, options.organizations)
    async with running_stack(directory, _ROLLING_REPLICAS if options.rolling else REPLICAS) as stack:
        await create(stack.local, population)
        await gather.read_store(stack.local.mongodb_uri, history)
        active = [user for user in population.users if user.habit is not Habit.ABSENT]
        pace = options.rate / _SHARE_OF_SENDS / len(active)
        shared = SharedState(stack.url, history, outcome.latencies, pace, dict(history.stored), population.users)
        participants = [Participant(user, shared, options.seed) for user in population.users]
        busy = [p for p in participants if p.user.habit is not Habit.ABSENT]
        await asyncio.gather(*(participant.connect() for participant in busy))
        await _run_load(busy, outcome, log, (make_disruption or _disruption)(stack, outcome, log))
        await _converge(stack, participants, outcome, log)
        log("checking")
        outcome.violations = await asyncio.to_thread(check, history)
        outcome.crashes = list(stack.crashes)
        if options.rolling:
            outcome.violations += undisturbed(history, outcome.crashes)
        await asyncio.gather(*(participant.disconnect() for participant in participants))
    return outcome


async def _run_load(busy: Sequence[Participant], outcome: Outcome, log: LogLine, disruption: Disruption) -> None:
    options = outcome.options
    began, cpu = time.monotonic(), _cpu_seconds()
    acting = [asyncio.create_task(participant.act()) for participant in busy]
    watching = asyncio.create_task(_show(outcome, began, log))
    try:
        async with asyncio.TaskGroup() as group:
            load = group.create_task(asyncio.sleep(options.seconds))
            breaking = group.create_task(disruption.run(options.seconds))
            failing = group.create_task(_first_failure(acting))
            await asyncio.gather(load, breaking)
            failing.cancel()
    finally:
        for task in (*acting, watching):
            task.cancel()
        await asyncio.gather(*acting, watching, return_exceptions=True)
    outcome.seconds = time.monotonic() - began
    outcome.driver_cores = (_cpu_seconds() - cpu) / outcome.seconds


def _disruption(stack: ProxiedStack, outcome: Outcome, log: LogLine) -> Disruption:
    options = outcome.options
    if options.rolling:
        return RollingRestart(stack, log, outcome.faults)
    rounds = plan(options.seed, int(options.seconds) + 1, options.pause_seconds, options.kinds) if options.kinds else []
    return Nemesis(stack, rounds, log, outcome.faults)


async def _first_failure(acting: Sequence[asyncio.Task[None]]) -> None:
    """Raises the error of the first participant that fails."""
    done, _ = await asyncio.wait(acting, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _converge(stack: ProxiedStack, participants: Sequence[Participant], outcome: Outcome, log: LogLine) -> None:
    history = outcome.history
    log("waiting for the last answers")
    busy = [p for p in participants if p.user.habit is not Habit.ABSENT]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FINISH_SECONDS):
            await asyncio.gather(*(participant.finish() for participant in busy))
    await asyncio.gather(*(p.disconnect() for p in busy if p.user.habit is Habit.COMING_AND_GOING))
    outcome.converged["presence"] = await convergence.presence_converges(participants, history)
    log("reading the store")
    await gather.read_store(stack.local.mongodb_uri, history)
    devices = [device for participant in participants for device in participant.devices]
    outcome.converged["views"] = await convergence.views_converge(devices, history)
    log("reading as every user")
    users = [participant.user for participant in participants]
    await gather.read_as_members(stack.local.url, users, history)
    for device in devices:
        device.record_final_state()
    look = partial(gather.read_notifications, stack.local.url, users, history)
    outcome.converged["notifications"] = await convergence.notifications_converge(look, history)


async def _show(outcome: Outcome, began: float, log: LogLine) -> None:
    before = 0
    while True:
        await asyncio.sleep(_BETWEEN_LINES_SECONDS)
        acknowledged = len(outcome.latencies)
        problems = outcome.history.problems
        log(
            f"{time.monotonic() - began:6.0f} s: {acknowledged} acknowledged "
            f"({(acknowledged - before) / _BETWEEN_LINES_SECONDS:.0f}/s), "
            f"{sum(len(view.seen) for view in outcome.history.views)} events, {len(outcome.faults)} faults, "
            f"{sum(problems.errors.values())} errors retried, {sum(problems.closes.values())} connections lost"
        )
        before = acknowledged


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
