"""`parley backup`: copies all that Parley keeps into a folder, as of one moment, while people talk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal

from backup.dump import take_backup
from backup.errors import BackupError
from backup.manifest import Manifest
from cli.databases import Names, chosen, open_store
from cli.progress import Bars
from cli.stack import CommandError
from deploy.local.errors import StackError

INTERRUPTED = 130
console = Console(highlight=False)


def command(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--to", help="A folder: new, empty, or with a backup that was interrupted.")],
    database: Names = None,
) -> None:
    """Copy all that Parley keeps into a folder, as of one moment, while people talk.

    Of the MongoDB of PARLEY_MONGODB_URI, else of the stack in the data directory. Interrupted, the same command goes
    on where it was. The folder holds everything but the key-encryption key: keep that too, apart from it.
    """
    databases = chosen(database)
    try:
        taken = asyncio.run(_take(context.obj, databases, folder))
    except (BackupError, StackError) as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt:
        console.print("Interrupted. The same command goes on where it was.")
        raise typer.Exit(INTERRUPTED) from None
    _tell(taken, folder)


async def _take(data_dir: Path, databases: dict[str, str], folder: Path) -> Manifest:
    async with open_store(data_dir) as client:
        with Bars(console) as bars:
            return await take_backup(client, databases, folder, report=bars)


def _tell(taken: Manifest, folder: Path) -> None:
    console.print(
        f"[bold]{folder}[/bold] has all of {taken.time:%Y-%m-%d %H:%M:%S} UTC: {taken.documents} documents, "
        f"{decimal(taken.size_bytes)}."
    )
    console.print(
        "Not in it is the key-encryption key (PARLEY_KEY_ENCRYPTION_KEY; of a local stack, secrets.json). Without it, "
        "signing keys and issuers' secrets can't be opened again: keep it apart from the backup."
    )
