"""The command line of the benchmarks: `python -m bench --help`."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Annotated, Any, Final

import typer
import uvloop
from rich.console import Console

from bench.figures import Figures, medians, ratios
from bench.parley import parley
from bench.peers.node import node
from bench.peers.python_socketio import python_socketio
from bench.plans import LONG, SCENARIOS, Size, Step, steps
from bench.results import Result, save, show
from bench.sockets import BenchError
from bench.system import System

_console = Console()
Opener = Callable[..., AbstractAsyncContextManager[Any]]
PEERS: Final[dict[str, Opener]] = {"node": node, "python-socketio": python_socketio}


def main(
    scenarios: Annotated[
        list[str] | None, typer.Argument(help=f"scenarios out of {', '.join(SCENARIOS)}; the short ones by default")
    ] = None,
    size: Annotated[Size, typer.Option(help="size of the load")] = Size.SHORT,
    runs: Annotated[int, typer.Option(min=1, help="runs of each scenario; the medians are reported")] = 1,
    versus: Annotated[
        str, typer.Option("--vs", help=f"peer to alternate with in the same run (A B A B): {', '.join(PEERS)}")
    ] = "",
    direct: Annotated[bool, typer.Option("--direct", help="connect to the gateway's port instead of Envoy's")] = False,
    dialect: Annotated[str, typer.Option(help="dialect to speak to Parley: native or telecom")] = "native",
    cache: Annotated[float, typer.Option(min=0.25, help="mongod's cache in GB")] = 0.5,
) -> None:
    """Measure Parley's throughput, latency and cost, beside a peer if asked; also writes bench/results/ as JSON."""
    names = scenarios or [name for name in SCENARIOS if name not in LONG]
    if unknown := set(names) - set(SCENARIOS):
        raise typer.BadParameter(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(SCENARIOS)}")
    if versus and versus not in PEERS:
        raise typer.BadParameter(f"known peers: {', '.join(PEERS)}", param_hint="--vs")
    if dialect not in {"native", "telecom"}:
        raise typer.BadParameter("must be native or telecom", param_hint="--dialect")
    _allow_many_connections()
    ours = partial(parley, direct=direct, dialect=dialect, cache_gigabytes=cache)
    plan = [step for name in names for step in steps(name, size)]
    try:
        results = uvloop.run(_measure(plan, ours, versus, runs))
    except BenchError as error:
        _console.print(f"[red]Benchmark failed:[/red] {error}")
        raise typer.Exit(1) from None
    show(results, _console)
    _console.print(f"Saved as {save(results)}.")


def _allow_many_connections() -> None:
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))


async def _measure(plan: Sequence[Step], ours: Opener, versus: str, runs: int) -> list[Result]:
    results = []
    for step in plan:
        our_runs: list[Figures] = []
        peer_runs: list[Figures] = []
        labels = {"ours": "", "theirs": ""}
        for number in range(runs):
            progress = f"{step.name}, run {number + 1} of {runs}"
            labels["ours"] = await _once(step, ours(limited=step.limited), our_runs, progress)
            if versus in step.peers:
                labels["theirs"] = await _once(step, PEERS[versus](), peer_runs, progress)
        figures = medians(our_runs)
        compared = ratios(figures, medians(peer_runs)) if peer_runs else {}
        if peer_runs:
            results.append(Result(step.name, labels["theirs"], peer_runs, medians(peer_runs), {}))
        results.append(Result(step.name, labels["ours"], our_runs, figures, compared))
    return results


async def _once(step: Step, opening: AbstractAsyncContextManager[System], figures: list[Figures], progress: str) -> str:
    """Measures on a new system with empty databases; returns the system's name."""
    async with opening as system:
        _console.print(f"{progress}: {system.name} ...", highlight=False)
        began = asyncio.get_running_loop().time()
        figures.append(await step.run(system))
        _console.print(f"  done in {asyncio.get_running_loop().time() - began:.0f} s", highlight=False)
        return system.name


if __name__ == "__main__":
    typer.run(main)
