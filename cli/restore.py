"""`parley restore`: puts a backup back into MongoDB, while no service runs."""

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
from cli.databases import URI_VARIABLE, Names, chosen
from cli.progress import Bars
from cli.stack import CommandError
from deploy.local.data_directory import DataDirectory
from deploy.local.errors import StackError
from deploy.local.run_file import read_run_file
from deploy.local.stack import LocalStack
from services.chat.republish import publish_again

EMPTY_REDIS: Final = (
    "Empty Parley's Redis or Valkey before you start the services: what it holds tells of times after the backup."
)
UNREAD_SECONDS: Final = 300
"""By so much may notify have been behind at the moment of a backup; it is told again of what was sent since."""

console = Console(highlight=False)


def command(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--from", help="The folder of a finished backup.")],
    replace: Annotated[bool, typer.Option("--replace", help="Remove what the databases hold.")] = False,
    ignore_clients: Annotated[
        bool, typer.Option("--ignore-clients", help="Don't look whether services are connected; see that none is.")
    ] = False,
    database: Names = None,
) -> None:
    """Put a backup back, while no service runs.

    Into the MongoDB of PARLEY_MONGODB_URI, else into that of the stack in the data directory, which must be stopped.
    The files are checked before anything is touched, and what was loaded is compared with them. Interrupted, the same
    command goes on where it was.
    """
    databases = chosen(database)
    try:
        read_backup(folder)
        restored = asyncio.run(_restore(context.obj, databases, folder, replace=replace, ignore=ignore_clients))
    except (BackupError, StackError) as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt:
        console.print("Interrupted. The same command goes on where it was; until it has ended no service starts.")
        raise typer.Exit(INTERRUPTED) from None
    console.print(f"All is as it was at {restored.time:%Y-%m-%d %H:%M:%S} UTC: {restored.documents} documents.")


async def _restore(
    data_dir: Path, databases: Mapping[str, str], folder: Path, *, replace: bool, ignore: bool
) -> Manifest:
    uri = os.environ.get(URI_VARIABLE)
    if uri is None:
        return await _restore_stack(data_dir, databases, folder, replace=replace)
    async with connected(uri) as client:
        if not ignore:
            await _refuse_while_used(client, databases)
        restored = await _load(client, databases, folder, replace=replace)
    console.print(EMPTY_REDIS)
    return restored


async def _refuse_while_used(client: Client, databases: Mapping[str, str]) -> None:
    services = await connected_services(client, databases)
    if services is None:
        console.print("The credentials don't allow to see who is connected: see that no service runs.")
    elif services:
        raise CommandError(f"Stop the services first: {', '.join(services)} are connected to this MongoDB.")


async def _restore_stack(data_dir: Path, databases: Mapping[str, str], folder: Path, *, replace: bool) -> Manifest:
    """Starts the stack's own databases for as long as it takes, and empties its Valkey."""
    if read_run_file(data_dir):
        raise CommandError(f"Stop the stack in {data_dir} first.")
    if not DataDirectory(data_dir).secrets.exists():
        raise CommandError(
            f"There is no stack in {data_dir}. Put its secrets.json there first, without which what a backup holds "
            f"can't be opened; or set {URI_VARIABLE}."
        )
    async with LocalStack(data_dir, services=()) as stack, connected(stack.mongodb_uri) as client:
        restored = await _load(client, databases, folder, replace=replace)
        if os.environ.get("PARLEY_REDIS_URL"):
            console.print(EMPTY_REDIS)
        else:
            async with Redis.from_url(stack.redis_url) as valkey:
                await valkey.flushall()
    return restored


async def _load(client: Client, databases: Mapping[str, str], folder: Path, *, replace: bool) -> Manifest:
    async def finish(backup: Manifest) -> None:
        since_ms = (backup.cluster_time - UNREAD_SECONDS) * 1_000
        await publish_again(client[databases["chat"]], since_ms)

    with Bars(console) as bars:
        return await restore_backup(client, databases, folder, replace=replace, report=bars, finish=finish)
