"""`parley migrate`: makes what changes of the databases a new version brings, or tells what it would make."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from backup.errors import BackupError
from chassis.mongo.migrations import Migration, UnfinishedRestoreError, migrate, pending
from cli.databases import Names, chosen, open_store
from cli.stack import CommandError
from deploy.local.errors import StackError
from services.auth.migrations import MIGRATIONS as AUTH
from services.chat.migrations import MIGRATIONS as CHAT
from services.notify.migrations import MIGRATIONS as NOTIFY
from services.presence.migrations import MIGRATIONS as PRESENCE

MIGRATIONS: Final[Mapping[str, Sequence[Migration]]] = {
    "auth": AUTH,
    "chat": CHAT,
    "presence": PRESENCE,
    "notify": NOTIFY,
}
console = Console(highlight=False)


def command(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be made, and change nothing.")] = False,
    database: Names = None,
) -> None:
    """Make what changes of the databases this version brings, once, while services run.

    Services do so themselves when they start; before an upgrade this shows what they will do, or does it beforehand.
    Of the MongoDB of PARLEY_MONGODB_URI, else of the stack in the data directory.
    """
    try:
        asyncio.run(_migrate(context.obj, chosen(database), dry_run=dry_run))
    except (BackupError, StackError, UnfinishedRestoreError) as error:
        raise CommandError(str(error)) from error


async def _migrate(data_dir: Path, databases: Mapping[str, str], *, dry_run: bool) -> None:
    async with open_store(data_dir) as client:
        for service, name in databases.items():
            todo = await pending(client[name], MIGRATIONS[service])
            made = [] if dry_run else await migrate(client[name], MIGRATIONS[service])
            for migration in todo:
                state = "would be made" if dry_run else "made" if migration.name in made else "made by another"
                console.print(f"  {service} {migration.name}: {migration.summary}: {state}")
            if not todo:
                console.print(f"  {service}: nothing to do")
