"""CPU and memory of processes, from /proc, so that other load on the machine does not distort the figures."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from bench.figures import Figures

GENERATOR = "generator"
_BUSY = 0.9  # of a core


@dataclass(frozen=True, slots=True)
class Reading:
    """The CPU seconds that each part had used at a moment, in seconds of a monotonic clock."""

    at: float
    cpu: Mapping[str, float]


class Meter:
    """Meters the processes of a system, and this one, the generator. Replicas of a service count together.

    Args:
        pids: the process ids by process name, such as "chat-1".
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes: dict[str, list[psutil.Process]] = defaultdict(list)
        for name, pid in {**pids, GENERATOR: os.getpid()}.items():
            self._processes[name.rpartition("-")[0] or name].append(psutil.Process(pid))

    def read(self) -> Reading:
        """Returns the CPU used so far by the processes and their children."""
        return Reading(
            time.perf_counter(), {part: sum(map(_cpu, processes)) for part, processes in self._processes.items()}
        )

    @property
    def parts(self) -> list[str]:
        """The names of the metered parts."""
        return list(self._processes)

    def memory_kib(self, part: str) -> float:
        """Returns the resident memory of a part, in KiB."""
        return sum(process.memory_info().rss for process in self._processes[part]) / 1_024


def _cpu(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)] if process.pid != os.getpid() else [process]
    return sum(sum(member.cpu_times()[:2]) for member in family)


def cost(before: Reading, after: Reading, items: int) -> Figures:
    """Returns the CPU in microseconds for each item, by part, and `cpu_servers_us` for all parts except the generator.

    `generator_limited` is 1 if the generator kept a core busy: the figures may then show the generator's limit.
    """
    used = {part: after.cpu[part] - before.cpu[part] for part in after.cpu}
    figures = {f"cpu_{part}_us": seconds / max(1, items) * 1e6 for part, seconds in sorted(used.items())}
    figures["cpu_servers_us"] = sum(s for part, s in used.items() if part != GENERATOR) / max(1, items) * 1e6
    share = used[GENERATOR] / (after.at - before.at)
    figures["generator_limited"] = float(share > _BUSY)
    return figures
