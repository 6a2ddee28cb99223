"""Injects one fault after another. The seed determines the whole plan, so a run can be repeated."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from tests.faults.faults import HARMS, USUAL, Fault, inflict
from tests.faults.stack import ProxiedStack

_PAIR_PROBABILITY = 0.15


@dataclass(frozen=True, slots=True)
class Round:
    """Faults that start together, after a pause."""

    pause_seconds: float
    faults: tuple[Fault, ...]


def plan(seed: int, rounds: int, pause_seconds: float, kinds: Collection[str] = USUAL) -> list[Round]:
    """Returns the faults of a run, drawn from the seed: every kind occurs once before any kind repeats."""
    chance = random.Random(f"nemesis {seed}")
    deck: list[str] = []
    planned: list[Round] = []
    for _ in range(rounds):
        faults = [_draw(deck, kinds, chance)]
        if chance.random() < _PAIR_PROBABILITY:
            other = _draw(deck, kinds, chance)
            if not _same_target(faults[0], other):
                faults.append(other)
        planned.append(Round(chance.uniform(0.5, 1.5) * pause_seconds, tuple(faults)))
    return planned


def _draw(deck: list[str], kinds: Collection[str], chance: random.Random) -> Fault:
    if not deck:
        deck.extend(sorted(kinds))
        chance.shuffle(deck)
    kind = deck.pop()
    harm = HARMS[kind]
    return Fault(kind, chance.choice(harm.targets), round(chance.uniform(*harm.seconds), 2), chance.choice((0.5, 1.0)))


def _same_target(a: Fault, b: Fault) -> bool:
    return a.target.startswith(b.target) or b.target.startswith(a.target)


@dataclass(slots=True)
class InflictedFault:
    """An injected fault: when it began and ended, in s since the start."""

    fault: Fault
    began: float
    ended: float


@dataclass(slots=True)
class Nemesis:
    """Carries out a plan."""

    stack: ProxiedStack
    rounds: list[Round]
    log: Callable[[str], None]
    done: list[InflictedFault] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Injects one round after another; starts none after `seconds`."""
        started = time.monotonic()
        for round_ in self.rounds:
            await asyncio.sleep(round_.pause_seconds)
            if time.monotonic() - started > seconds:
                return
            async with asyncio.TaskGroup() as group:
                for fault in round_.faults:
                    group.create_task(self._inflict(fault, started))

    async def _inflict(self, fault: Fault, started: float) -> None:
        self.log(str(fault))
        began = time.monotonic() - started
        await inflict(self.stack, fault)
        self.done.append(InflictedFault(fault, began, time.monotonic() - started))
