"""`parley backup`: writes a consistent backup of all databases into a folder, while services run."""

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
from cli.databases import DatabaseOptions, open_store, select_databases
from cli.progress import ProgressBars
from cli.stack import CommandError
from deploy.local.errors import StackError

INTERRUPTED = 130
console = Console(highlight=False)


def command(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--to", help="A folder that is new, empty, or holds an interrupted backup.")],
    database: DatabaseOptions = None,
) -> None:
    """Back up all databases into a folder, at one point in time, while services run.

    Reads the MongoDB at PARLEY_MONGODB_URI, or that of the stack in the data directory. Repeat the command to resume an
    interrupted backup. The folder does not hold the key-encryption key: store that too, in another place.
    """
    databases = select_databases(database)
    try:
        manifest = asyncio.run(_take(context.obj, databases, folder))
    except (BackupError, StackError) as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt:
        console.print("Interrupted. Repeat the command to resume.")
        raise typer.Exit(INTERRUPTED) from None
    _print_summary(manifest, folder)


async def _take(data_dir: Path, databases: dict[str, str], folder: Path) -> Manifest:
    async with open_store(data_dir) as client:
        with ProgressBars(console) as bars:
            return await take_backup(client, databases, folder, report=bars)


def _print_summary(manifest: Manifest, folder: Path) -> None:
    console.print(
        f"[bold]{folder}[/bold] holds all data as of {manifest.time:%Y-%m-%d %H:%M:%S} UTC: "
        f"{manifest.documents} documents, {decimal(manifest.size_bytes)}."
    )
    console.print(
        "The backup does not hold the key-encryption key (PARLEY_KEY_ENCRYPTION_KEY; for a local stack, secrets.json). "
        "Without it, signing keys and issuers' secrets cannot be decrypted: store it apart from the backup."
    )
