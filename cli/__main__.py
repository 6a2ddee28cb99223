"""Entry point of the `parley` command; registers the subcommands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from cli import accounts, backup, demo, doctor, issuers, migrate, prune, restore, tail, up, user_import
from cli.stack import CommandError

app = typer.Typer(
    name="parley",
    help="Parley, the real-time chat backbone of a CRM or helpdesk.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("up")(up.command)
app.command("demo")(demo.command)
app.command("doctor")(doctor.command)
app.command("tail")(tail.command)
app.command("backup")(backup.command)
app.command("prune-backups")(prune.command)
app.command("restore")(restore.command)
app.command("migrate")(migrate.command)
accounts.users.command("import")(user_import.command)
app.add_typer(accounts.users, name="user")
accounts.organizations.add_typer(issuers.issuers, name="issuer")
app.add_typer(accounts.organizations, name="org")


@app.callback()
def settings(
    context: typer.Context,
    data_dir: Annotated[
        Path, typer.Option("--data", envvar="PARLEY_DATA", help="The stack's data directory: data, logs, secrets.")
    ] = Path(".parley"),
) -> None:
    """Parley, the real-time chat backbone of a CRM or helpdesk."""
    context.obj = data_dir


def main() -> None:
    """Runs the command. An expected failure prints one line and exits with status 1."""
    try:
        app()
    except CommandError as error:
        _fail(str(error))
    except OSError as error:
        if error.filename is None:  # not about a file
            raise
        _fail(f"{error.filename}: {error.strerror}.")


def _fail(message: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"[red]parley:[/red] {escape(message)}", highlight=False)
    sys.exit(1)


if __name__ == "__main__":
    main()
