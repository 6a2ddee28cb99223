"""One run from start to end: raise the stage, keep everybody busy while things break, wait, read, check."""

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

from tests.faults import calm, gather
from tests.faults.checker import check
from tests.faults.faults import USUAL
from tests.faults.history import History
from tests.faults.nemesis import Done, Nemesis, plan
from tests.faults.participant import Participant, Surroundings
from tests.faults.population import Habit, populate, settle
from tests.faults.rolling import Roller, nobody_noticed
from tests.faults.stage import REPLICAS, Stage, raised
from tests.faults.violations import Violation

_FINISH_SECONDS: Final = 120.0
_BETWEEN_LINES_SECONDS: Final = 10.0
_SHARE_OF_SENDS: Final = 0.7
# Users sign in while auth is restarted, too.
_ROLLING_REPLICAS: Final = {**REPLICAS, "auth": 2}


@dataclass(frozen=True, slots=True)
class Choices:
    """What a run is to be like. The same choices make the same faults and the same wishes of everybody.

    Attributes:
        seconds: how long there are load and faults.
        seed: what all chance follows from.
        rate: how many messages a second are sent, over all clients, while they are acknowledged.
        clients: about how many there are.
        organizations: over how many organizations.
        pause_seconds: how long all is well between faults, on average.
        kinds: of faults; none for load alone.
        rolling: instead of faults, every process is restarted in turn, and nobody may notice.
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
    """What came of it."""

    choices: Choices
    history: History
    violations: list[Violation] = field(default_factory=list)
    faults: list[Done] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    driver_cores: float = 0.0
    converged: dict[str, float | None] = field(default_factory=dict)


Tell = Callable[[str], None]


class Breaker(Protocol):
    """What happens to the stage while people talk."""

    async def run(self, seconds: float) -> None:
        """Goes on for about so long."""
        ...


MakeBreaker = Callable[[Stage, Outcome, Tell], Breaker]


async def run(choices: Choices, directory: Path, tell: Tell, make_breaker: MakeBreaker | None = None) -> Outcome:
    """Runs it; `tell` gets lines for the screen. Another breaker than the one that was chosen may be given."""
    history = History()
    outcome = Outcome(choices, history)
    population = populate(choices.seed, choices.clients, choices.organizations)
    async with raised(directory, _ROLLING_REPLICAS if choices.rolling else REPLICAS) as stage:
        await settle(stage.stack, population)
        await gather.read_store(stage.stack.mongodb_uri, history)
        active = [person for person in population.people if person.habit is not Habit.ABSENT]
        pace = choices.rate / _SHARE_OF_SENDS / len(active)
        world = Surroundings(stage.url, history, outcome.latencies, pace, dict(history.stored))
        participants = [Participant(person, world, choices.seed) for person in population.people]
        busy = [p for p in participants if p.person.habit is not Habit.ABSENT]
        await asyncio.gather(*(participant.come() for participant in busy))
        await _storm(busy, outcome, tell, (make_breaker or _breaker)(stage, outcome, tell))
        await _calm(stage, participants, outcome, tell)
        tell("checking")
        outcome.violations = await asyncio.to_thread(check, history)
        outcome.crashes = list(stage.crashes)
        if choices.rolling:
            outcome.violations += nobody_noticed(history, outcome.crashes)
        await asyncio.gather(*(participant.leave() for participant in participants))
    return outcome


async def _storm(busy: Sequence[Participant], outcome: Outcome, tell: Tell, breaker: Breaker) -> None:
    choices = outcome.choices
    began, cpu = time.monotonic(), _cpu_seconds()
    acting = [asyncio.create_task(participant.act()) for participant in busy]
    watching = asyncio.create_task(_show(outcome, began, tell))
    try:
        async with asyncio.TaskGroup() as group:
            load = group.create_task(asyncio.sleep(choices.seconds))
            breaking = group.create_task(breaker.run(choices.seconds))
            failing = group.create_task(_first_failure(acting))
            await asyncio.gather(load, breaking)
            failing.cancel()
    finally:
        for task in (*acting, watching):
            task.cancel()
        await asyncio.gather(*acting, watching, return_exceptions=True)
    outcome.seconds = time.monotonic() - began
    outcome.driver_cores = (_cpu_seconds() - cpu) / outcome.seconds


def _breaker(stage: Stage, outcome: Outcome, tell: Tell) -> Breaker:
    choices = outcome.choices
    if choices.rolling:
        return Roller(stage, tell, outcome.faults)
    rounds = plan(choices.seed, int(choices.seconds) + 1, choices.pause_seconds, choices.kinds) if choices.kinds else []
    return Nemesis(stage, rounds, tell, outcome.faults)


async def _first_failure(acting: Sequence[asyncio.Task[None]]) -> None:
    """Raises what ends a participant, which nothing should."""
    done, _ = await asyncio.wait(acting, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _calm(stage: Stage, participants: Sequence[Participant], outcome: Outcome, tell: Tell) -> None:
    history = outcome.history
    tell("calm: waiting for the last answers")
    busy = [p for p in participants if p.person.habit is not Habit.ABSENT]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FINISH_SECONDS):
            await asyncio.gather(*(participant.finish() for participant in busy))
    await asyncio.gather(*(p.leave() for p in busy if p.person.habit is Habit.COMING_AND_GOING))
    outcome.converged["presence"] = await calm.presence_converges(participants, history)
    tell("reading the store")
    await gather.read_store(stage.stack.mongodb_uri, history)
    devices = [device for participant in participants for device in participant.devices]
    outcome.converged["views"] = await calm.views_converge(devices, history)
    tell("reading as everybody")
    people = [participant.person for participant in participants]
    await gather.read_as_members(stage.stack.url, people, history)
    for device in devices:
        device.hold()
    look = partial(gather.read_notifications, stage.stack.url, people, history)
    outcome.converged["notifications"] = await calm.notifications_converge(look, history)


async def _show(outcome: Outcome, began: float, tell: Tell) -> None:
    before = 0
    while True:
        await asyncio.sleep(_BETWEEN_LINES_SECONDS)
        acknowledged = len(outcome.latencies)
        problems = outcome.history.problems
        tell(
            f"{time.monotonic() - began:6.0f} s: {acknowledged} acknowledged "
            f"({(acknowledged - before) / _BETWEEN_LINES_SECONDS:.0f}/s), "
            f"{sum(len(view.seen) for view in outcome.history.views)} events, {len(outcome.faults)} faults, "
            f"{sum(problems.errors.values())} errors retried, {sum(problems.closes.values())} connections lost"
        )
        before = acknowledged


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
