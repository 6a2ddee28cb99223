"""Opens the store that a command works on: the MongoDB at PARLEY_MONGODB_URI, or that of the local stack.

The URI comes from the environment only: every user of the machine can read command-line arguments.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from backup.connection import Client, connected
from cli.stack import CommandError
from deploy.local.data_directory import DataDirectory
from deploy.local.mongodb import mongod_uri
from deploy.local.run_file import read_run_file
from deploy.local.services import SERVICES, Needs
from deploy.local.stack import LocalStack

URI_VARIABLE: Final = "PARLEY_MONGODB_URI"
DEFAULT_DATABASES: Final[Mapping[str, str]] = {s.name: f"parley_{s.name}" for s in SERVICES if Needs.STORES in s.needs}

DatabaseOptions = Annotated[
    list[str] | None,
    typer.Option("--database", help="A service's database, as chat=NAME; default parley_SERVICE. May be repeated."),
]


def select_databases(names: list[str] | None) -> dict[str, str]:
    """Returns the database of every service. Raises CommandError for an invalid SERVICE=NAME."""
    databases = dict(DEFAULT_DATABASES)
    for option in names or ():
        service, _, name = option.partition("=")
        if service not in databases or not name:
            raise CommandError(f"--database {option!r} is not SERVICE=NAME; the services are {', '.join(databases)}.")
        databases[service] = name
    if len(set(databases.values())) < len(databases):
        raise CommandError("Two services cannot share a database.")
    return databases


@asynccontextmanager
async def open_store(data_dir: Path) -> AsyncIterator[Client]:
    """Yields a client of the store. For a stopped local stack, runs its databases while open."""
    if uri := os.environ.get(URI_VARIABLE):
        async with connected(uri) as client:
            yield client
    elif running := read_run_file(data_dir):
        ports = running.processes["mongod"].ports if "mongod" in running.processes else None
        if ports is None:
            raise CommandError(f"This stack uses an external MongoDB. Set {URI_VARIABLE}.")
        async with connected(mongod_uri(ports["mongodb"])) as client:
            yield client
    elif DataDirectory(data_dir).secrets.exists():
        async with LocalStack(data_dir, services=()) as stack, connected(stack.mongodb_uri) as client:
            yield client
    else:
        raise CommandError(f"No stack in {data_dir}. Name its data directory with --data, or set {URI_VARIABLE}.")
