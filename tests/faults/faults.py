"""The kinds of faults: how each is injected and ended."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pymongo import AsyncMongoClient

from deploy.local.process import ManagedProcess
from tests.faults.proxy import LinkCondition
from tests.faults.stack import LINKS, REPLICAS, ProxiedStack

_HEALTHY_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to inject.

    Attributes:
        kind: a key of HARMS.
        target: a process, a service, or a link.
        seconds: its duration; a killed process is down that long.
        share: the share of a link's connections that it affects.
    """

    kind: str
    target: str
    seconds: float
    share: float = 1.0

    def __str__(self) -> str:
        share = f", {self.share:.0%} of the connections" if self.target in LINKS else ""
        return f"{self.kind}: {self.target} ({self.seconds:.1f} s{share})"


async def _kill(stack: ProxiedStack, fault: Fault) -> None:
    await _killed(stack.local.processes[fault.target], fault.seconds)


async def _killed(process: ManagedProcess, seconds: float) -> None:
    process.kill()
    await process.wait_stopped()
    await asyncio.sleep(seconds)
    await process.start()
    await _recovered(process)


async def _recovered(process: ManagedProcess) -> None:
    """Waits until a process is healthy. One that can't reach its store exits, and its supervisor restarts it."""
    await process.wait_healthy(_HEALTHY_SECONDS, even_if_down=True)


async def _kill_all(stack: ProxiedStack, fault: Fault) -> None:
    names = [f"{fault.target}-{number}" for number in range(1, REPLICAS[fault.target] + 1)]
    await asyncio.gather(*(_killed(stack.local.processes[name], fault.seconds) for name in names))


async def _terminate(stack: ProxiedStack, fault: Fault) -> None:
    process = stack.local.processes[fault.target]
    await process.stop()
    await process.start()
    await _recovered(process)


async def _freeze(stack: ProxiedStack, fault: Fault) -> None:
    process = stack.local.processes[fault.target]
    process.pause()
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        process.resume()
    # A process that was declared dead meanwhile exits, too.
    await _recovered(process)


async def _step_down(stack: ProxiedStack, fault: Fault) -> None:
    """Makes the primary step down; the set has no other member, so writes fail until it is elected again."""
    seconds = max(1, round(fault.seconds))
    async with AsyncMongoClient[dict[str, Any]](stack.local.mongodb_uri, serverSelectionTimeoutMS=5_000) as client:
        await client.admin.command({"replSetStepDown": seconds, "secondaryCatchUpPeriodSecs": 0, "force": True})
    await _recovered(stack.local.processes[fault.target])


async def _forget(stack: ProxiedStack, fault: Fault) -> None:
    process = stack.local.processes[fault.target]
    process.kill()
    await process.wait_stopped()
    files = stack.local.directory.valkey
    await asyncio.to_thread(shutil.rmtree, files)
    files.mkdir(mode=0o700)
    await asyncio.sleep(fault.seconds)
    await process.start()
    await _recovered(process)


async def _cut(stack: ProxiedStack, fault: Fault) -> None:
    stack.links[fault.target].cut(fault.share, random.Random(str(fault)))


async def _silence(stack: ProxiedStack, fault: Fault) -> None:
    stack.links[fault.target].silence(fault.share, random.Random(str(fault)))
    await _clear_after(stack, fault)


async def _delay(stack: ProxiedStack, fault: Fault) -> None:
    stack.links[fault.target].change(LinkCondition(delay_seconds=0.3), fault.share, random.Random(str(fault)))
    await _clear_after(stack, fault)


async def _starve(stack: ProxiedStack, fault: Fault) -> None:
    stack.links[fault.target].change(LinkCondition(bytes_per_second=4_000), fault.share, random.Random(str(fault)))
    await _clear_after(stack, fault)


async def _clear_after(stack: ProxiedStack, fault: Fault) -> None:
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        stack.links[fault.target].clear()


@dataclass(frozen=True, slots=True)
class Harm:
    """A kind of fault: its function, targets and duration (from, to; in s), and whether runs include it by default."""

    inflict: Callable[[ProxiedStack, Fault], Awaitable[None]]
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

# A replica set of one has no member to take over, so step-downs happen only on request.
USUAL: Final = tuple(kind for kind, harm in HARMS.items() if harm.usual)


async def inflict(stack: ProxiedStack, fault: Fault) -> None:
    """Injects a fault, and returns once the stack has recovered."""
    await HARMS[fault.kind].inflict(stack, fault)
