"""`parley user` and `parley org`: administration through the public port with the operator's credential."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

import grpc
import typer
from parley.auth.v1 import directory_pb2, directory_pb2_grpc, user_pb2
from rich.console import Console

from chassis.errors import AppError
from chassis.rpc.channel import CALL_TIMEOUT_SECONDS, Metadata, ServiceTokens, open_channel
from chassis.rpc.status import from_rpc_error
from cli.stack import CommandError, credentials, public_url

OPERATOR: Final = "operator"
SECRET_VARIABLE: Final = "PARLEY_OPERATOR_SECRET"  # noqa: S105  # the variable's name
ROLES: Final = [name.removeprefix("ROLE_").lower() for name in user_pb2.Role.DESCRIPTOR.values_by_name][1:]

users = typer.Typer(help="Users of an organization.", no_args_is_help=True)
organizations = typer.Typer(help="Organizations.", no_args_is_help=True)
console = Console(highlight=False)
Directory = directory_pb2_grpc.DirectoryServiceStub

Url = Annotated[str | None, typer.Option(help=f"Public address; default: the local stack's. Needs {SECRET_VARIABLE}.")]


@organizations.command("add")
def add_organization(
    context: typer.Context,
    organization_id: Annotated[str, typer.Argument(help="The organization's id: 1 to 64 of A-Z a-z 0-9 _ . : @ -")],
    name: Annotated[str, typer.Option(help="The organization's name; default: its id.")] = "",
    url: Url = None,
) -> None:
    """Add an organization."""
    organization = user_pb2.Organization(organization_id=organization_id, name=name or organization_id)
    request = directory_pb2.CreateOrganizationRequest(organization=organization)

    async def call(directory: Directory, metadata: Metadata) -> None:
        await directory.CreateOrganization(request, metadata=metadata, timeout=CALL_TIMEOUT_SECONDS)

    run_as_operator(context.obj, url, "", call)
    console.print(f"Added organization [bold]{organization_id}[/bold].")


@users.command("add")
def add_user(
    context: typer.Context,
    user_id: Annotated[str, typer.Argument(help="The user's id: 1 to 64 of A-Z a-z 0-9 _ . : @ -")],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")],
    organization: Annotated[str, typer.Option("--org", help="The organization.")] = "demo",
    name: Annotated[str, typer.Option(help="The display name; default: the id.")] = "",
    email: Annotated[str, typer.Option(help="The e-mail address to sign in with.")] = "",
    team: Annotated[list[str] | None, typer.Option(help="A team of the user; may be repeated.")] = None,
    password: Annotated[
        str,
        typer.Option(help="The password; prompted for if --email is given without it.", envvar="PARLEY_NEW_PASSWORD"),
    ] = "",
    url: Url = None,
) -> None:
    """Add a user to an organization."""
    if role not in ROLES:
        raise CommandError(f"Unknown role {role!r}; use one of {', '.join(ROLES)}.")
    if email and not password:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    user = user_pb2.User(
        user_id=user_id,
        name=name or user_id,
        email=email,
        role=user_pb2.Role.Value(f"ROLE_{role.upper()}"),
        teams=team or [],
    )
    request = directory_pb2.CreateUserRequest(user=user, password=password)

    async def call(directory: Directory, metadata: Metadata) -> None:
        await directory.CreateUser(request, metadata=metadata, timeout=CALL_TIMEOUT_SECONDS)

    run_as_operator(context.obj, url, organization, call)
    console.print(f"Added user [bold]{user_id}[/bold] to {organization}.")


def run_as_operator(
    data_dir: Path, url: str | None, organization_id: str, call: Callable[[Directory, Metadata], Awaitable[None]]
) -> None:
    """Makes one call as the operator. Raises CommandError with the service's error."""
    try:
        asyncio.run(_call(data_dir, url, organization_id, call))
    except AppError as error:
        details = "".join(f"\n  {field} {problem}" for field, problem in error.fields.items())
        raise CommandError(f"{error.message} ({error.reason}){details}") from error


async def _call(
    data_dir: Path, url: str | None, organization_id: str, call: Callable[[Directory, Metadata], Awaitable[None]]
) -> None:
    async with operator(data_dir, url, organization_id) as (directory, metadata):
        try:
            await call(directory, await metadata())
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error


@asynccontextmanager
async def operator(
    data_dir: Path, url: str | None, organization_id: str
) -> AsyncIterator[tuple[Directory, Callable[[], Awaitable[Metadata]]]]:
    """Yields the directory at the public address, and what returns the metadata of the operator's next call."""
    secret = os.environ.get(SECRET_VARIABLE) or credentials(data_dir).service_secrets[OPERATOR]
    target = public_url(data_dir, url).removeprefix("http://")
    async with open_channel(target) as channel:
        tokens = ServiceTokens(channel, OPERATOR, secret)
        yield Directory(channel), lambda: tokens.metadata(organization_id)
