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
from tests.faults.run import Choices, run

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(  # noqa: PLR0917  # typer calls it by its parameters' names
    minutes: Annotated[float, typer.Option(help="how long there are load and faults")] = 2.0,
    seed: Annotated[int, typer.Option(help="what all chance follows from")] = 1,
    rate: Annotated[float, typer.Option(help="messages a second, over all clients")] = 100.0,
    clients: Annotated[int, typer.Option(help="about how many clients")] = 24,
    organizations: Annotated[int, typer.Option(help="over how many organizations")] = 2,
    pause: Annotated[float, typer.Option(help="seconds between faults, on average")] = 3.0,
    only: Annotated[
        list[str] | None, typer.Option(help="a kind of fault; may be repeated; all usual ones by default")
    ] = None,
    calm: Annotated[bool, typer.Option(help="no faults: load alone")] = False,
    rolling: Annotated[bool, typer.Option(help="a rolling restart, which nobody may notice")] = False,
    output: Annotated[Path, typer.Option(help="where the report goes")] = Path(".parley/faults-report.json"),
    directory: Annotated[Path | None, typer.Option(help="the stack's data, kept; a temporary one by default")] = None,
) -> None:
    """Breaks things while people talk, and counts. Ends with 1 when any promise was broken."""
    if unknown := set(only or ()) - set(HARMS):
        raise typer.BadParameter(f"{sorted(unknown)}: there are {', '.join(HARMS)}")
    kinds = () if calm else tuple(only or USUAL)
    choices = Choices(minutes * 60, seed, rate, clients, organizations, pause, kinds, rolling)
    logging.getLogger("parley_client").setLevel(logging.ERROR)  # what it warns of is what we do to it
    began = time.monotonic()

    def tell(line: str) -> None:
        sys.stdout.write(f"[{time.monotonic() - began:7.1f}] {line}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="parley-faults-") as temporary:
        outcome = uvloop.run(run(choices, directory or Path(temporary), tell))
    output.parent.mkdir(parents=True, exist_ok=True)
    report.write(outcome, output)
    if outcome.violations:
        report.keep(outcome, output.with_suffix(".history"))
    for line in report.lines(outcome):
        sys.stdout.write(f"{line}\n")
    sys.exit(1 if outcome.violations else 0)


if __name__ == "__main__":
    app()
