"""The command line of the bench: `python -m bench --help`."""

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
        list[str] | None, typer.Argument(help=f"some of {', '.join(SCENARIOS)}; by default those that are short")
    ] = None,
    size: Annotated[Size, typer.Option(help="how much of everything")] = Size.SHORT,
    runs: Annotated[int, typer.Option(min=1, help="how often each is measured; the medians count")] = 1,
    versus: Annotated[str, typer.Option("--vs", help=f"a peer for the same run, A B A B: {', '.join(PEERS)}")] = "",
    direct: Annotated[bool, typer.Option("--direct", help="the gateway's own port instead of Envoy's")] = False,
    dialect: Annotated[
        str, typer.Option(help="the vocabulary that Parley is spoken to in: native or telecom")
    ] = "native",
    cache: Annotated[float, typer.Option(min=0.25, help="mongod's cache in GB")] = 0.5,
) -> None:
    """Measure how much Parley carries, beside a peer if asked; results also go to bench/results/ as JSON."""
    wanted = scenarios or [name for name in SCENARIOS if name not in LONG]
    if unknown := set(wanted) - set(SCENARIOS):
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    if versus and versus not in PEERS:
        raise typer.BadParameter(f"there are {', '.join(PEERS)}", param_hint="--vs")
    if dialect not in {"native", "telecom"}:
        raise typer.BadParameter("native or telecom", param_hint="--dialect")
    _allow_many_connections()
    ours = partial(parley, direct=direct, dialect=dialect, cache_gigabytes=cache)
    plan = [step for name in wanted for step in steps(name, size)]
    try:
        results = uvloop.run(_measure(plan, ours, versus, runs))
    except BenchError as error:
        _console.print(f"[red]No figure:[/red] {error}")
        raise typer.Exit(1) from None
    show(results, _console)
    _console.print(f"Saved as {save(results)}.")


def _allow_many_connections() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _measure(plan: Sequence[Step], ours: Opener, versus: str, runs: int) -> list[Result]:
    results = []
    for step in plan:
        mine: list[Figures] = []
        others: list[Figures] = []
        names = {"ours": "", "theirs": ""}
        for number in range(runs):
            progress = f"{step.name}, run {number + 1} of {runs}"
            names["ours"] = await _once(step, ours(limited=step.limited), mine, progress)
            if versus in step.peers:
                names["theirs"] = await _once(step, PEERS[versus](), others, progress)
        figures = medians(mine)
        compared = ratios(figures, medians(others)) if others else {}
        if others:
            results.append(Result(step.name, names["theirs"], others, medians(others), {}))
        results.append(Result(step.name, names["ours"], mine, figures, compared))
    return results


async def _once(step: Step, opening: AbstractAsyncContextManager[System], figures: list[Figures], progress: str) -> str:
    """Measures on a system of its own, with empty databases; returns the system's name."""
    async with opening as system:
        _console.print(f"{progress}: {system.name} ...", highlight=False)
        began = asyncio.get_running_loop().time()
        figures.append(await step.run(system))
        _console.print(f"  done in {asyncio.get_running_loop().time() - began:.0f} s", highlight=False)
        return system.name


if __name__ == "__main__":
    typer.run(main)
