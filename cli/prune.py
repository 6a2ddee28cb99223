"""`parley prune-backups`: removes old backups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from backup.errors import BackupError
from backup.retention import NIGHTLY, prune
from cli.stack import CommandError

console = Console(highlight=False)


def command(
    root: Annotated[Path, typer.Option("--in", exists=True, file_okay=False, help="The folder of the backups.")],
    keep: Annotated[int, typer.Option(min=1, help="How many complete backups to keep.")],
    pattern: Annotated[str, typer.Option(help="The names of the folders to consider.")] = NIGHTLY,
    current: Annotated[str, typer.Option(help="The folder of a backup that is about to be resumed.")] = "",
) -> None:
    """Remove old backups: keep the latest complete ones, and remove what interrupted ones left behind."""
    try:
        pruned = prune(root, keep, pattern, current)
    except BackupError as error:
        raise CommandError(str(error)) from error
    for label, names in (("Removed", pruned.old), ("Removed unfinished", pruned.unfinished)):
        for name in names:
            console.print(f"{label} {name}.")
    for name in pruned.damaged:
        console.print(f"{name} has an unreadable manifest; remove it by hand.")
