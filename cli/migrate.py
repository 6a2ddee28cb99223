"""`parley migrate`: applies or lists pending database migrations."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from backup.errors import BackupError
from chassis.mongo.migrations import Migration, UnfinishedRestoreError, migrate, pending
from cli.databases import DatabaseOptions, open_store, select_databases
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List pending migrations; change nothing.")] = False,
    database: DatabaseOptions = None,
) -> None:
    """Apply this version's pending database migrations, each once, while services run.

    Services apply them at start-up too; before an upgrade, this lists them or applies them ahead of time. Works on the
    MongoDB at PARLEY_MONGODB_URI, or that of the stack in the data directory.
    """
    try:
        asyncio.run(_migrate(context.obj, select_databases(database), dry_run=dry_run))
    except (BackupError, StackError, UnfinishedRestoreError) as error:
        raise CommandError(str(error)) from error


async def _migrate(data_dir: Path, databases: Mapping[str, str], *, dry_run: bool) -> None:
    async with open_store(data_dir) as client:
        for service, name in databases.items():
            pending_migrations = await pending(client[name], MIGRATIONS[service])
            applied = [] if dry_run else await migrate(client[name], MIGRATIONS[service])
            for migration in pending_migrations:
                state = "pending"
                if not dry_run:
                    state = "applied" if migration.name in applied else "applied by another process"
                console.print(f"  {service} {migration.name}: {migration.summary}: {state}")
            if not pending_migrations:
                console.print(f"  {service}: nothing to do")
