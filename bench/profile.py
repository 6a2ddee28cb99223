"""Profiles chat and the gateway under direct messages: `make profile`.

py-spy samples the running processes from outside, without changing them. It needs permission to trace processes.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from bench.parley import Parley, parley
from bench.scenarios.direct import direct
from bench.sockets import BenchError

_WARM_UP_SECONDS: Final = 4.0
_SAMPLES_PER_SECOND: Final = 200
_OUR_THREAD: Final = "_run_code"  # of the main thread; the other threads belong to gRPC and Prometheus
_LINE: Final = re.compile(r":\d+\)$")


def main(
    processes: Annotated[
        list[str] | None, typer.Argument(help="processes to sample; chat-1 and gateway-1 by default")
    ] = None,
    seconds: Annotated[int, typer.Option(min=1, help="how long to sample")] = 8,
    rows: Annotated[int, typer.Option(min=1, help="number of functions to show")] = 40,
) -> None:
    """Show the functions in which processes of the stack spend their time under direct 200 x 8."""
    try:
        uvloop.run(_profile(processes or ["chat-1", "gateway-1"], seconds, rows))
    except BenchError as error:
        Console().print(f"[red]Profiling failed:[/red] {error}")
        raise typer.Exit(1) from None


async def _profile(names: list[str], seconds: int, rows: int) -> None:
    with TemporaryDirectory(prefix="parley-bench-") as directory:
        async with parley(direct=True) as system, asyncio.TaskGroup() as group:
            if unknown := set(names) - set(system.pids):
                raise BenchError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(system.pids)}")
            samples = [group.create_task(_sample(system, name, seconds, Path(directory) / name)) for name in names]
            await direct(system, pair_count=200, in_flight=8, warm_up_seconds=_WARM_UP_SECONDS, seconds=float(seconds))
        for sample in samples:
            _show(sample.result(), rows)


async def _sample(system: Parley, name: str, seconds: int, path: Path) -> tuple[str, str]:
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        raise BenchError("py-spy is not installed")
    await asyncio.sleep(_WARM_UP_SECONDS)
    options = ("--format", "raw", "--rate", str(_SAMPLES_PER_SECOND), "--duration", str(seconds), "--output", str(path))
    process = await asyncio.create_subprocess_exec(
        spy,
        "record",
        *options,
        "--pid",
        str(system.pids[name]),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode:
        raise BenchError(f"py-spy: {errors.decode().strip()}")
    return name, await asyncio.to_thread(path.read_text)


def _show(profile: tuple[str, str], rows: int) -> None:
    name, stacks = profile
    own, within, total = shares(stacks)
    table = Table(title=f"{name}: {total} samples of its main thread", title_justify="left")
    for column in ("within %", "own %", "function"):
        table.add_column(column, justify="left" if column == "function" else "right")
    for function, count in within.most_common(rows):
        table.add_row(f"{count / total * 100:.1f}", f"{own[function] / total * 100:.1f}", function)
    Console().print(table)


def shares(stacks: str) -> tuple[Counter[str], Counter[str], int]:
    """Counts samples by function: in the function itself, within what it calls, and in total.

    Args:
        stacks: one line for each stack: the frames from the outermost, separated by ";", a blank and the count.
    """
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    total = 0
    for line in stacks.splitlines():
        frames, _, samples = line.rpartition(" ")
        if _OUR_THREAD not in frames:
            continue
        functions = [_LINE.sub(")", frame) for frame in frames.split(";")]
        total += int(samples)
        own[functions[-1]] += int(samples)
        within.update(dict.fromkeys(functions, int(samples)))
    return own, within, total


if __name__ == "__main__":
    typer.run(main)
