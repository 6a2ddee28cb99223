"""The store that a command is about: the MongoDB of PARLEY_MONGODB_URI, or that of the stack in the data directory.

The address comes from the environment alone: as an argument everybody on the machine could read its password.
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
DEFAULTS: Final[Mapping[str, str]] = {s.name: f"parley_{s.name}" for s in SERVICES if Needs.STORES in s.needs}

Names = Annotated[
    list[str] | None,
    typer.Option("--database", help="A service's database, if not parley_SERVICE: chat=NAME. May be repeated."),
]


def chosen(names: list[str] | None) -> dict[str, str]:
    """The database of every service. Raises CommandError for what is no SERVICE=NAME."""
    databases = dict(DEFAULTS)
    for given in names or ():
        service, _, name = given.partition("=")
        if service not in databases or not name:
            raise CommandError(f"--database {given!r} is not SERVICE=NAME; services are {', '.join(databases)}.")
        databases[service] = name
    if len(set(databases.values())) < len(databases):
        raise CommandError("Two services can't have one database.")
    return databases


@asynccontextmanager
async def open_store(data_dir: Path) -> AsyncIterator[Client]:
    """A client of the store. A stack that doesn't run gets its databases started for as long as this is open."""
    if uri := os.environ.get(URI_VARIABLE):
        async with connected(uri) as client:
            yield client
    elif running := read_run_file(data_dir):
        ports = running.processes["mongod"].ports if "mongod" in running.processes else None
        if ports is None:
            raise CommandError(f"The stack here uses a MongoDB of your own. Set {URI_VARIABLE}.")
        async with connected(mongod_uri(ports["mongodb"])) as client:
            yield client
    elif DataDirectory(data_dir).secrets.exists():
        async with LocalStack(data_dir, services=()) as stack, connected(stack.mongodb_uri) as client:
            yield client
    else:
        raise CommandError(f"There is no stack in {data_dir}. Name its folder with --data, or set {URI_VARIABLE}.")
