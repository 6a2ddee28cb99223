"""`parley restore`: restores a backup into MongoDB while no service runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
from redis.asyncio import Redis
from rich.console import Console

from backup.connected_clients import connected_services
from backup.connection import Client, connected
from backup.errors import BackupError
from backup.manifest import Manifest
from backup.restore import read_backup, restore_backup
from cli.backup import INTERRUPTED
from cli.databases import URI_VARIABLE, DatabaseOptions, select_databases
from cli.progress import ProgressBars
from cli.stack import CommandError
from deploy.local.data_directory import DataDirectory
from deploy.local.errors import StackError
from deploy.local.run_file import read_run_file
from deploy.local.stack import LocalStack
from services.chat.republish import publish_again
from services.chat.store import ChatStore

FLUSH_REDIS: Final = (
    "Flush Parley's Redis or Valkey before you start the services: its content is newer than the backup."
)
REPUBLISH_SECONDS: Final = 300
"""How long before the backup republishing starts: the longest lag of notify behind chat that it makes up for."""

console = Console(highlight=False)


def command(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--from", help="The folder of a finished backup.")],
    replace: Annotated[bool, typer.Option("--replace", help="Drop the content of non-empty databases.")] = False,
    ignore_clients: Annotated[
        bool,
        typer.Option(
            "--ignore-clients", help="Skip the check for connected services; make sure yourself that none runs."
        ),
    ] = False,
    database: DatabaseOptions = None,
) -> None:
    """Restore a backup while no service runs.

    Writes to the MongoDB at PARLEY_MONGODB_URI, or to that of the stack in the data directory, which must be stopped.
    Verifies all files before it changes anything, and compares the loaded data with them. Repeat the command to resume
    an interrupted restore.
    """
    databases = select_databases(database)
    try:
        read_backup(folder)
        manifest = asyncio.run(_restore(context.obj, databases, folder, replace=replace, ignore=ignore_clients))
    except (BackupError, StackError) as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt:
        console.print("Interrupted. Repeat the command to resume; services refuse to start until it has finished.")
        raise typer.Exit(INTERRUPTED) from None
    console.print(f"Restored all data as of {manifest.time:%Y-%m-%d %H:%M:%S} UTC: {manifest.documents} documents.")


async def _restore(
    data_dir: Path, databases: Mapping[str, str], folder: Path, *, replace: bool, ignore: bool
) -> Manifest:
    uri = os.environ.get(URI_VARIABLE)
    if uri is None:
        return await _restore_stack(data_dir, databases, folder, replace=replace)
    async with connected(uri) as client:
        if not ignore:
            await _refuse_while_used(client, databases)
        manifest = await _load(client, databases, folder, replace=replace)
    console.print(FLUSH_REDIS)
    return manifest


async def _refuse_while_used(client: Client, databases: Mapping[str, str]) -> None:
    services = await connected_services(client, databases)
    if services is None:
        raise CommandError(
            "The credentials do not permit listing connections. Grant their user the role clusterMonitor, or make sure "
            "that no service runs and pass --ignore-clients."
        )
    if services:
        raise CommandError(f"Stop the services first: {', '.join(services)} are connected to this MongoDB.")


async def _restore_stack(data_dir: Path, databases: Mapping[str, str], folder: Path, *, replace: bool) -> Manifest:
    """Runs the stopped stack's databases for the restore, and flushes its Valkey."""
    if read_run_file(data_dir):
        raise CommandError(f"Stop the stack in {data_dir} first.")
    if not DataDirectory(data_dir).secrets.exists():
        raise CommandError(
            f"No stack in {data_dir}. Put its secrets.json there first, which holds the key to the backup's secrets, "
            f"or set {URI_VARIABLE}."
        )
    async with LocalStack(data_dir, services=()) as stack, connected(stack.mongodb_uri) as client:
        manifest = await _load(client, databases, folder, replace=replace)
        if os.environ.get("PARLEY_REDIS_URL"):
            console.print(FLUSH_REDIS)
        else:
            async with Redis.from_url(stack.redis_url) as valkey:
                await valkey.flushall()
    return manifest


async def _load(client: Client, databases: Mapping[str, str], folder: Path, *, replace: bool) -> Manifest:
    async def finish(backup: Manifest) -> None:
        since_ms = (backup.cluster_time - REPUBLISH_SECONDS) * 1_000
        await publish_again(ChatStore(client, databases["chat"]), since_ms)

    with ProgressBars(console) as bars:
        return await restore_backup(client, databases, folder, replace=replace, report=bars, finish=finish)
