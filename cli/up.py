"""`parley up`: runs the stack on this machine until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from parley.auth.v1 import user_pb2
from rich.console import Console
from rich.table import Table

from cli.stack import CommandError
from deploy.edge_parameters import ORIGIN
from deploy.local.errors import StackError
from deploy.local.options import StackOptions
from deploy.local.progress import Phase, Progress
from deploy.local.replicas import parse_replicas
from deploy.local.seed import ACCOUNTS, PASSWORD, seed_demo
from deploy.local.services import SERVICES
from deploy.local.stack import LocalStack

DEFAULT_PORT: Final = 8080
_STYLES: Final = {Phase.READY: "green", Phase.FAILED: "red", Phase.RESTARTING: "yellow"}

console = Console(highlight=False)


def command(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help=f"The public port; default {DEFAULT_PORT}, or any if it is taken."),
    ] = None,
    replicas: Annotated[str, typer.Option(help="Number of processes of each service: chat=2,gateway=2.")] = "",
    origin: Annotated[
        list[str] | None,
        typer.Option(help="An origin whose pages may call, such as http://localhost:5173; may be repeated."),
    ] = None,
) -> None:
    """Run the stack on this machine until Ctrl-C.

    Starts MongoDB, Valkey and Envoy too, from the PATH or from installed wheels. PARLEY_MONGODB_URI and
    PARLEY_REDIS_URL name external servers to use instead.
    """
    try:
        asyncio.run(_up(context.obj, port, replicas, _checked(origin or [])))
    except StackError as error:
        raise CommandError(str(error)) from error


def _checked(origins: list[str]) -> tuple[str, ...]:
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise CommandError(f"{origin!r} is not an origin such as http://localhost:5173.")
    return tuple(origins)


async def _up(data_dir: Path, port: int | None, replicas: str, origins: tuple[str, ...]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    counts = parse_replicas(replicas, [service.name for service in SERVICES])
    options = replace(StackOptions.from_environment(), allowed_origins=origins)
    stack = LocalStack(data_dir, _chosen_port(port), counts, options=options, report=_show)
    started_at = time.monotonic()
    starting = asyncio.create_task(_start(stack))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            _print_welcome(stack, data_dir, time.monotonic() - started_at)
            await stopping
    finally:
        starting.cancel()
        stopping.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        console.print("\nStopping ...")
        await stack.stop()
    console.print("Stopped. The data remains; remove it with [bold]make clean-data[/bold].")


async def _start(stack: LocalStack) -> None:
    await stack.start()
    await seed_demo(stack.grpc_target, stack.credentials)


def _chosen_port(port: int | None) -> int | None:
    """Returns the requested port, else the default one if it is free, else None for any port."""
    if port is not None:
        return port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            console.print(f"Port {DEFAULT_PORT} is taken; using another. Choose one with --port.")
            return None
    return DEFAULT_PORT


def _show(progress: Progress) -> None:
    if progress.phase in {Phase.STOPPING, Phase.STARTING}:
        return
    style = _STYLES.get(progress.phase, "dim")
    console.print(f"  [{style}]{progress.phase.value:<10}[/{style}] {progress.process} {progress.detail}".rstrip())


def _print_welcome(stack: LocalStack, data_dir: Path, seconds: float) -> None:
    table = Table("sign in as", "name", "role", "teams", box=None, header_style="bold", padding=(0, 3, 0, 2))
    for account in ACCOUNTS:
        table.add_row(account.email, account.name, _role_name(account.role), ", ".join(account.teams))
    console.print(f"\nParley is ready after {seconds:.1f} s: [bold]{stack.url}[/bold]\n")
    console.print(table)
    console.print(f"\n  password of all users: [bold]{PASSWORD}[/bold]; organization: [bold]demo[/bold]")
    console.print(
        f"  logs: {data_dir / 'logs'}; try [bold]make demo[/bold] in another terminal; press Ctrl-C to stop\n"
    )


def _role_name(role: user_pb2.Role.ValueType) -> str:
    return user_pb2.Role.Name(role).removeprefix("ROLE_").lower()
