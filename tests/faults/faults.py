"""What can be done to the stage, one class of harm each: how it begins, and how it ends."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pymongo import AsyncMongoClient

from deploy.local.process import ManagedProcess
from tests.faults.proxy import Weather
from tests.faults.stage import LINKS, REPLICAS, Stage

_HEALTHY_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        kind: a key of HARMS.
        target: a process, a service, or a link.
        seconds: for how long; a process that is killed is down as long.
        share: of a link's connections.
    """

    kind: str
    target: str
    seconds: float
    share: float = 1.0

    def __str__(self) -> str:
        share = f", {self.share:.0%} of the connections" if self.target in LINKS else ""
        return f"{self.kind}: {self.target} ({self.seconds:.1f} s{share})"


async def _kill(stage: Stage, fault: Fault) -> None:
    await _killed(stage.stack.processes[fault.target], fault.seconds)


async def _killed(process: ManagedProcess, seconds: float) -> None:
    process.kill()
    await process.wait_stopped()
    await asyncio.sleep(seconds)
    await process.start()
    await _back(process)


async def _back(process: ManagedProcess) -> None:
    """Waits for it. One that finds no store when it starts ends by itself, and is started again by its supervisor."""
    await process.wait_healthy(_HEALTHY_SECONDS, even_if_down=True)


async def _kill_all(stage: Stage, fault: Fault) -> None:
    names = [f"{fault.target}-{number}" for number in range(1, REPLICAS[fault.target] + 1)]
    await asyncio.gather(*(_killed(stage.stack.processes[name], fault.seconds) for name in names))


async def _terminate(stage: Stage, fault: Fault) -> None:
    process = stage.stack.processes[fault.target]
    await process.stop()
    await process.start()
    await _back(process)


async def _freeze(stage: Stage, fault: Fault) -> None:
    process = stage.stack.processes[fault.target]
    process.pause()
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        process.resume()
    # One that was declared dead meanwhile ends by itself, too.
    await _back(process)


async def _step_down(stage: Stage, fault: Fault) -> None:
    """The primary gives up for a while; the set has no other member, so writes fail until it is elected again."""
    seconds = max(1, round(fault.seconds))
    async with AsyncMongoClient[dict[str, Any]](stage.stack.mongodb_uri, serverSelectionTimeoutMS=5_000) as client:
        await client.admin.command({"replSetStepDown": seconds, "secondaryCatchUpPeriodSecs": 0, "force": True})
    await _back(stage.stack.processes[fault.target])


async def _forget(stage: Stage, fault: Fault) -> None:
    process = stage.stack.processes[fault.target]
    process.kill()
    await process.wait_stopped()
    files = stage.stack.directory.valkey
    await asyncio.to_thread(shutil.rmtree, files)
    files.mkdir(mode=0o700)
    await asyncio.sleep(fault.seconds)
    await process.start()
    await _back(process)


async def _cut(stage: Stage, fault: Fault) -> None:
    stage.links[fault.target].cut(fault.share, random.Random(str(fault)))


async def _silence(stage: Stage, fault: Fault) -> None:
    stage.links[fault.target].silence(fault.share, random.Random(str(fault)))
    await _then_clear(stage, fault)


async def _delay(stage: Stage, fault: Fault) -> None:
    stage.links[fault.target].change(Weather(delay_seconds=0.3), fault.share, random.Random(str(fault)))
    await _then_clear(stage, fault)


async def _starve(stage: Stage, fault: Fault) -> None:
    stage.links[fault.target].change(Weather(bytes_per_second=4_000), fault.share, random.Random(str(fault)))
    await _then_clear(stage, fault)


async def _then_clear(stage: Stage, fault: Fault) -> None:
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        stage.links[fault.target].clear()


@dataclass(frozen=True, slots=True)
class Harm:
    """A kind of fault: what it does, to what, for how long (from, to; seconds), and whether it comes unasked."""

    inflict: Callable[[Stage, Fault], Awaitable[None]]
    targets: tuple[str, ...]
    seconds: tuple[float, float]
    usual: bool = True


def _replicas(*services: str) -> tuple[str, ...]:
    return tuple(f"{name}-{number}" for name in services for number in range(1, REPLICAS.get(name, 1) + 1))


HARMS: Final[Mapping[str, Harm]] = {
    "kill chat": Harm(_kill, _replicas("chat"), (0.0, 2.0)),
    "kill gateway": Harm(_kill, _replicas("gateway"), (0.0, 2.0)),
    "kill presence": Harm(_kill, _replicas("presence"), (0.0, 2.0)),
    "kill notify": Harm(_kill, _replicas("notify"), (0.0, 2.0)),
    "kill auth": Harm(_kill, _replicas("auth"), (0.0, 3.0)),
    "kill every replica": Harm(_kill_all, ("chat", "gateway", "presence", "notify"), (0.0, 2.0)),
    "freeze a service": Harm(_freeze, _replicas("chat", "gateway", "presence", "notify"), (1.0, 6.0)),
    "freeze chat for long": Harm(_freeze, _replicas("chat"), (12.0, 15.0)),
    "freeze a store": Harm(_freeze, ("mongod", "valkey"), (1.0, 5.0)),
    "crash MongoDB": Harm(_kill, ("mongod",), (0.0, 3.0)),
    "MongoDB steps down": Harm(_step_down, ("mongod",), (1.0, 5.0), usual=False),
    "Valkey loses all": Harm(_forget, ("valkey",), (0.0, 3.0)),
    "crash Valkey": Harm(_kill, ("valkey",), (0.0, 3.0)),
    "crash Envoy": Harm(_kill, ("envoy",), (0.0, 2.0)),
    "stop a service": Harm(_terminate, _replicas("chat", "gateway", "presence", "notify", "auth"), (0.0, 0.0)),
    "cut": Harm(_cut, LINKS, (0.0, 0.0)),
    "half-open": Harm(_silence, LINKS, (2.0, 5.0)),
    "delay": Harm(_delay, LINKS, (2.0, 6.0)),
    "slow reads": Harm(_starve, LINKS, (2.0, 5.0)),
}

# A set of one has nobody to step down for: that comes only where it is asked for.
USUAL: Final = tuple(kind for kind, harm in HARMS.items() if harm.usual)


async def inflict(stage: Stage, fault: Fault) -> None:
    """Does it, and returns when everything is as it was."""
    await HARMS[fault.kind].inflict(stage, fault)
