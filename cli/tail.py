"""`parley tail`: prints a user's events as they arrive."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import msgspec
import typer
from parley_client.client import Client
from parley_client.errors import ClientError
from parley_client.events import Event, UnknownEvent
from rich.console import Console
from rich.text import Text

from cli.stack import CommandError, public_url
from deploy.local.seed import PASSWORD

console = Console(highlight=False, soft_wrap=True)


def command(
    context: typer.Context,
    user: Annotated[str, typer.Option(help="A demo user's id, or an e-mail address.")],
    password: Annotated[str, typer.Option(envvar="PARLEY_PASSWORD", help="The user's password.")] = PASSWORD,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    url: Annotated[str | None, typer.Option(help="Public address; default: the local stack's.")] = None,
) -> None:
    """Print a user's events as they arrive, until Ctrl-C."""
    email = user if "@" in user else f"{user}@demo.example"
    try:
        asyncio.run(_tail(public_url(context.obj, url), email, password, as_json=as_json))
    except ClientError as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt:
        console.print()


async def _tail(url: str, email: str, password: str, *, as_json: bool) -> None:
    client = Client.sign_in(url, email, password)
    with client.events() as events:
        async with client:
            if not as_json:
                console.print(
                    f"Connected as [bold]{client.user.name or client.user.user_id}[/bold]; press Ctrl-C to stop."
                )
            async for event in events:
                _show(event, as_json=as_json)


def _show(event: Event, *, as_json: bool) -> None:
    name = event.event if isinstance(event, UnknownEvent) else getattr(event, "name", type(event).__name__)
    body = event.body if isinstance(event, UnknownEvent) else msgspec.to_builtins(event)
    if as_json:
        typer.echo(msgspec.json.encode({"event": name, "body": body}).decode())
        return
    line = Text()
    line.append(datetime.now().astimezone().strftime("%H:%M:%S  "), style="dim")
    line.append(f"{name:<22}", style="bold")
    line.append(msgspec.json.encode(body).decode())
    console.print(line)
