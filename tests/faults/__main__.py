"""The command line: `python -m tests.faults --minutes 30 --seed 1`."""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from tests.faults import report
from tests.faults.faults import HARMS, USUAL
from tests.faults.run import RunOptions, run

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(  # noqa: PLR0917  # typer calls it by its parameters' names
    minutes: Annotated[float, typer.Option(help="duration of load and faults, in minutes")] = 2.0,
    seed: Annotated[int, typer.Option(help="seed of all random choices")] = 1,
    rate: Annotated[float, typer.Option(help="messages per second, over all clients")] = 100.0,
    clients: Annotated[int, typer.Option(help="approximate number of clients")] = 24,
    organizations: Annotated[int, typer.Option(help="number of organizations")] = 2,
    pause: Annotated[float, typer.Option(help="average time between faults, in s")] = 3.0,
    only: Annotated[
        list[str] | None, typer.Option(help="a kind of fault; repeatable; all usual kinds by default")
    ] = None,
    calm: Annotated[bool, typer.Option(help="load without faults")] = False,
    rolling: Annotated[bool, typer.Option(help="a rolling restart, during which no error may occur")] = False,
    output: Annotated[Path, typer.Option(help="file of the report")] = Path(".parley/faults-report.json"),
    directory: Annotated[
        Path | None, typer.Option(help="data directory of the stack, which is kept; a temporary one by default")
    ] = None,
) -> None:
    """Injects faults under load, and checks every guarantee. Exits with 1 if any is violated."""
    if unknown := set(only or ()) - set(HARMS):
        raise typer.BadParameter(f"{sorted(unknown)}: there are {', '.join(HARMS)}")
    kinds = () if calm else tuple(only or USUAL)
    options = RunOptions(minutes * 60, seed, rate, clients, organizations, pause, kinds, rolling)
    logging.getLogger("parley_client").setLevel(logging.ERROR)  # its warnings are about the injected faults
    began = time.monotonic()

    def log(line: str) -> None:
        sys.stdout.write(f"[{time.monotonic() - began:7.1f}] {line}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="parley-faults-") as temporary:
        outcome = uvloop.run(run(options, directory or Path(temporary), log))
    output.parent.mkdir(parents=True, exist_ok=True)
    report.write(outcome, output)
    if outcome.violations:
        report.keep(outcome, output.with_suffix(".history"))
    for line in report.lines(outcome):
        sys.stdout.write(f"{line}\n")
    sys.exit(1 if outcome.violations else 0)


if __name__ == "__main__":
    app()
