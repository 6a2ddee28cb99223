"""Breaks one thing after the other. The whole plan follows from the seed, so that a run can be had again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from tests.faults.faults import HARMS, USUAL, Fault, inflict
from tests.faults.stage import Stage

_TOGETHER = 0.15


@dataclass(frozen=True, slots=True)
class Round:
    """Faults that begin together, after a pause in which all is well."""

    pause_seconds: float
    faults: tuple[Fault, ...]


def plan(seed: int, rounds: int, pause_seconds: float, kinds: Collection[str] = USUAL) -> list[Round]:
    """The faults of a run: every kind once before any comes again, in an order and with targets drawn from the seed."""
    chance = random.Random(f"nemesis {seed}")
    deck: list[str] = []
    made: list[Round] = []
    for _ in range(rounds):
        faults = [_draw(deck, kinds, chance)]
        if chance.random() < _TOGETHER:
            other = _draw(deck, kinds, chance)
            if not _same_victim(faults[0], other):
                faults.append(other)
        made.append(Round(chance.uniform(0.5, 1.5) * pause_seconds, tuple(faults)))
    return made


def _draw(deck: list[str], kinds: Collection[str], chance: random.Random) -> Fault:
    if not deck:
        deck.extend(sorted(kinds))
        chance.shuffle(deck)
    kind = deck.pop()
    harm = HARMS[kind]
    return Fault(kind, chance.choice(harm.targets), round(chance.uniform(*harm.seconds), 2), chance.choice((0.5, 1.0)))


def _same_victim(one: Fault, other: Fault) -> bool:
    return one.target.startswith(other.target) or other.target.startswith(one.target)


@dataclass(slots=True)
class Done:
    """A fault that was inflicted: when it began and was over, in seconds since the start."""

    fault: Fault
    began: float
    ended: float


@dataclass(slots=True)
class Nemesis:
    """Carries out a plan, until it is done or the time is over."""

    stage: Stage
    rounds: list[Round]
    tell: Callable[[str], None]
    done: list[Done] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Inflicts one round after the other; begins none after so many seconds."""
        started = time.monotonic()
        for one in self.rounds:
            await asyncio.sleep(one.pause_seconds)
            if time.monotonic() - started > seconds:
                return
            async with asyncio.TaskGroup() as group:
                for fault in one.faults:
                    group.create_task(self._inflict(fault, started))

    async def _inflict(self, fault: Fault, started: float) -> None:
        self.tell(str(fault))
        began = time.monotonic() - started
        await inflict(self.stage, fault)
        self.done.append(Done(fault, began, time.monotonic() - started))
