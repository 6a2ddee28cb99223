"""`parley demo`: two users chat through the public port; one reconnects and catches up on what it missed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import typer
from parley_client.client import Client
from parley_client.contract import Message
from parley_client.errors import ClientError
from parley_client.event_stream import EventStream
from parley_client.events import (
    CaughtUp,
    Event,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    PresenceUpdated,
    ReceiptUpdated,
    TypingUpdated,
)
from parley_client.options import Options
from parley_client.transport import Connect, Transport, websocket_connector
from rich.console import Console

from cli.stack import CommandError, public_url
from deploy.local.seed import PASSWORD

E = TypeVar("E", bound=Event)

_TIMEOUT_SECONDS: Final = 20.0
_SARA: Final = "sales@demo.example"
_LEO: Final = "lead@demo.example"

console = Console(highlight=False)


def command(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(help="Public address; default: the local stack's.")] = None,
) -> None:
    """Watch two users talk: presence, typing, ticks, an edit, a disconnect and the catch-up."""
    try:
        asyncio.run(_demo(public_url(context.obj, url)))
    except ClientError as error:
        raise CommandError(str(error)) from error


class _Link:
    """A network link that can be cut: closes the socket, and opens no other until restored."""

    def __init__(self) -> None:
        self._connect: Connect = websocket_connector(open_timeout_seconds=10.0, ping_interval_seconds=20.0)
        self._is_up = asyncio.Event()
        self._is_up.set()
        self._transport: Transport | None = None

    async def connect(self, url: str, access_token: str) -> Transport:
        await self._is_up.wait()
        self._transport = await self._connect(url, access_token)
        return self._transport

    async def cut(self) -> None:
        self._is_up.clear()
        if self._transport is not None:
            await self._transport.close()

    def restore(self) -> None:
        self._is_up.set()


async def _demo(url: str) -> None:
    link = _Link()
    sara = Client.sign_in(url, _SARA, PASSWORD, Options(connect=link.connect))
    leo = Client.sign_in(url, _LEO, PASSWORD)
    with sara.events() as sara_events, leo.events() as leo_events:
        async with leo:
            _say("Leo", "signs in")
            async with sara:
                _say("Sara", "signs in")
                scene = _Scene(sara, leo, sara_events, leo_events)
                await scene.meet()
                conversation_id = await scene.talk()
                await scene.part_and_return(conversation_id, link)
                scene.compare(conversation_id)
    console.print("\n[green]Both see the same conversation.[/green]")


class _Scene:
    """The demo's three acts, as both sides see them."""

    def __init__(
        self, sara: Client, leo: Client, sara_events: EventStream[Event], leo_events: EventStream[Event]
    ) -> None:
        self._sara, self._leo = sara, leo
        self._sara_events, self._leo_events = sara_events, leo_events

    async def meet(self) -> None:
        sara_id = self._sara.user.user_id
        (presence,) = (await self._leo.presence_get(user_ids=[sara_id])).presences
        if presence.status != "online":
            online = await _next(
                self._leo_events, PresenceUpdated, lambda e: e.user_id == sara_id and e.status == "online"
            )
            presence_status = online.status
        else:
            presence_status = presence.status
        _say("Leo", f"sees Sara: [green]{presence_status}[/green]")

    async def talk(self) -> str:
        conversation = (await self._sara.conversation_direct(user_id=self._leo.user.user_id)).conversation
        key = conversation.conversation_id
        await self._leo.typing_set(conversation_id=key, active=True)
        await _next(self._sara_events, TypingUpdated, lambda e: e.active)
        _say("Sara", "sees: [dim]Leo is typing ...[/dim]")
        sent = await self._leo.send_message(key, "Morning! Did the Hansen lead call bakc?")
        _say("Leo", f"writes: Morning! Did the Hansen lead call bakc?  [dim]#{sent.seq} ✓[/dim]")
        await _next(self._sara_events, MessageCreated, lambda e: e.message.message_id == sent.message_id)
        await self._sara.receipt_delivered(conversation_id=key, seq=sent.seq)
        await _next(self._leo_events, ReceiptUpdated, lambda e: e.delivered_seq >= sent.seq)
        _say("Leo", f"sees his message [dim]#{sent.seq} ✓✓[/dim] delivered")
        await self._sara.receipt_read(conversation_id=key, seq=sent.seq)
        await _next(self._leo_events, ReceiptUpdated, lambda e: e.read_seq >= sent.seq)
        _say("Leo", f"sees his message [blue]#{sent.seq} ✓✓[/blue] read")
        await self._leo.message_edit(
            conversation_id=key, message_id=sent.message_id, text="Morning! Did the Hansen lead call back?"
        )
        edited = await _next(self._sara_events, MessageUpdated, lambda e: e.message.message_id == sent.message_id)
        _say("Sara", f"sees it edited: {edited.message.text}")
        answer = await self._sara.send_message(key, "She did. Offer goes out at noon.")
        await _next(self._leo_events, MessageCreated, lambda e: e.message.message_id == answer.message_id)
        _say("Sara", f"answers: She did. Offer goes out at noon.  [dim]#{answer.seq} ✓[/dim]")
        return key

    async def part_and_return(self, key: str, link: _Link) -> None:
        await link.cut()
        _say("Sara", "[red]loses her connection[/red]")
        first = await self._leo.send_message(key, "Great. Copy me in, please.")
        _say("Leo", f"writes: Great. Copy me in, please.  [dim]#{first.seq} ✓[/dim]")
        slip = await self._leo.send_message(key, "(wrong window)")
        await self._leo.message_delete(conversation_id=key, message_id=slip.message_id)
        _say("Leo", f"writes [dim]#{slip.seq}[/dim] into the wrong window, and deletes it")
        token = secrets.token_hex(2)
        last = await self._leo.send_message(key, f"Reference is H-{token}.")
        _say("Leo", f"writes: Reference is H-{token}.  [dim]#{last.seq} ✓[/dim]")
        link.restore()
        missed: list[Message] = []
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            async for event in self._sara_events:
                if isinstance(event, MessageCreated | MessageUpdated | MessageDeleted):
                    missed.append(event.message)
                if isinstance(event, CaughtUp):
                    break
        _say("Sara", f"[green]is back, and catches up[/green] on {len(missed)} messages:")
        for message in sorted(missed, key=lambda m: m.seq):
            text = "[dim](deleted)[/dim]" if message.delete_time else message.text
            console.print(f"         [dim]#{message.seq}[/dim] {text}")

    def compare(self, key: str) -> None:
        ours, theirs = (_last_messages(client, key) for client in (self._sara, self._leo))
        if ours != theirs:
            raise CommandError("The two sides do not see the same conversation.")


def _last_messages(client: Client, key: str) -> list[tuple[int, str, bool]]:
    """Returns the last four messages that a client holds, as (seq, text, deleted)."""
    messages = client.replica.conversation(key).messages[-4:]
    return [(message.seq, message.text, message.delete_time is not None) for message in messages]


async def _next(events: EventStream[Event], kind: type[E], matches: Callable[[E], bool]) -> E:
    """Returns the next event of a kind that matches; skips others. Raises CommandError on a timeout."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            async for event in events:
                if isinstance(event, kind) and matches(event):
                    return event
    except TimeoutError:
        raise CommandError(f"No {kind.__name__} event within {_TIMEOUT_SECONDS:g} s.") from None
    raise CommandError("The connection ended.")


def _say(who: str, what: str) -> None:
    console.print(f"  [bold]{who:>5}[/bold]  {what}")
