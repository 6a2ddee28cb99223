"""One client of a simulated user; records everything that it receives."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from parley_client.client import Client
from parley_client.connection import default_connect
from parley_client.contract import Message
from parley_client.errors import ClientError
from parley_client.events import Event, MessageCreated, MessageDeleted, MessageUpdated, ReceiptUpdated, TypingUpdated
from parley_client.options import Backoff, Options

from tests.faults.check_views import states_of
from tests.faults.history import History, Kind, Seen, State, View, digest
from tests.faults.population import PASSWORD, User
from tests.faults.wiretap import tapped

_OPTIONS = Options(
    event_buffer=1_000_000,
    ping_interval_seconds=5.0,
    open_timeout_seconds=5.0,
    reconnect_backoff=Backoff(base_seconds=0.2, cap_seconds=3.0),
    retry_backoff=Backoff(base_seconds=0.1, cap_seconds=2.0),
)


def options_for(history: History) -> Options:
    """Returns the clients' options: shorter timeouts and backoffs than the defaults, and a tap on the connection."""
    return replace(_OPTIONS, connect=tapped(default_connect(_OPTIONS), history.problems))


def state_of(history: History, message: Message) -> State:
    """Converts a message to the history's form."""
    created = message.create_time
    return State(
        history.messages.number(message.message_id),
        message.seq,
        message.rev,
        digest(message.text),
        0 if created is None else round(created.timestamp() * 1000),
    )


class Device:
    """A client that stays connected until `close`."""

    def __init__(self, url: str, user: User, history: History, name: str) -> None:
        self.user = user
        self.view = View(name, user.key)
        self.client = Client.sign_in(url, user.email, PASSWORD, options_for(history))
        self._history = history
        self._pump: asyncio.Task[None] | None = None
        history.views.append(self.view)

    async def open(self) -> None:
        """Connects, and starts recording."""
        self._pump = asyncio.create_task(self._record_events())
        await asyncio.sleep(0)
        await self.client.start()
        await self.client.ready()
        for state in self.client.replica.conversations:
            self.view.floors[self._history.conversations.number(state.conversation_id)] = state.seq

    async def close(self) -> None:
        """Disconnects."""
        await self.client.close()
        if self._pump is not None:
            await self._pump

    def record_final_state(self) -> None:
        """Records the client's state at the end of the run."""
        view, numbers = self.view, self._history.conversations
        view.stayed = True
        for state in self.client.replica.conversations:
            number = numbers.number(state.conversation_id)
            view.held[number] = states_of(state_of(self._history, message) for message in state.messages)
            view.unread[number] = state.unread_count
            view.members[number] = frozenset(state.members)

    async def _record_events(self) -> None:
        with self.client.events() as events, contextlib.suppress(ClientError):
            async for event in events:
                self._record(event)
            return
        self._history.problems.failures[type(events._end).__name__] += 1

    def _record(self, event: Event) -> None:
        match event:
            case MessageCreated():
                self._record_message(Kind.CREATED, event.message, event.replayed)
            case MessageUpdated():
                self._record_message(Kind.UPDATED, event.message, event.replayed)
            case MessageDeleted():
                self._record_message(Kind.DELETED, event.message, event.replayed)
            case TypingUpdated() | ReceiptUpdated():
                self.view.signals.add(self._history.conversations.number(event.conversation_id))
            case _:
                pass

    def _record_message(self, kind: Kind, message: Message, replayed: bool) -> None:
        conversation = self._history.conversations.number(message.conversation_id)
        state = state_of(self._history, message)
        seen = Seen(kind, int(replayed), conversation, state.message, state.seq, state.rev, state.digest)
        self.view.seen.add(seen)
