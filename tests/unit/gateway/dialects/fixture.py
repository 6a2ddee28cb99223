"""The story of `story` as users of one dialect see it: through the hub, to connections that record it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from parley.chat.v1.conversation_pb2 import GetConversationResponse
from parley.chat.v1.message_pb2 import ListMessagesResponse
from parley.presence.v1.presence_pb2 import PRESENCE_STATUS_ONLINE, BatchGetPresenceResponse, Presence

from gateway.connections.delivery_queue import DeliveryQueue
from gateway.connections.hub import Hub
from gateway.dialects.base import Dialect, DialectContext
from gateway.dialects.registry import all_dialects
from gateway.dialects.socketio_base import EmittedFrame
from gateway.sessions.background_tasks import BackgroundTasks, running_background_tasks
from gateway.sessions.commands import CallUpstream
from gateway.upstream.presence_cache import PresenceCache
from tests.unit.gateway.dialects import story
from tests.unit.gateway.dialects.services import USERS, Services, user_cache
from tests.unit.gateway.fixtures import RecordingConnection, identity, lines_of

NOW: Final = "now"
"""Stands for a time that the gateway reads from its clock."""

_YEAR_OF_THE_STORY: Final = "2026-01-01T12:"
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

Frames = list[Any]
JOINING: Final[Mapping[str, list[list[Any]]]] = {
    "telecom": [["joinOrganization", {"organizationId": story.ORGANIZATION}]],
    "projects": [
        ["join_conversation", {"conversationId": story.DIRECT}],
        ["join_conversation", {"conversationId": story.ROOM}],
    ],
}
"""The events by which clients subscribe to more, in the dialects that have them."""


def dialects(presence_cache: PresenceCache | None = None) -> dict[str, Dialect]:
    """Returns all dialects, by name."""
    return all_dialects(DialectContext(user_cache(), presence_cache or PresenceCache()))


def readable(payload: bytes) -> Any:
    """Returns a payload in a readable form without losses: packets of Socket.IO as [type, data]."""
    text = payload.decode()
    digits = re.match(r"\d*(?=\[)", text)
    packet = digits.group() if digits is not None else ""
    data = json.loads(text[len(packet) :])
    assert packet + json.dumps(data, separators=(",", ":"), ensure_ascii=False) == text
    return _without_the_clock([packet, data] if packet else data)


def _without_the_clock(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_the_clock(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_the_clock(part) for part in value]
    if isinstance(value, str) and _TIME.fullmatch(value) and not value.startswith(_YEAR_OF_THE_STORY):
        return NOW
    return value


def services() -> Services:
    """Returns the services with their answers in the story."""
    return Services(
        {
            "GetConversation": GetConversationResponse(conversation=story.conversation()),
            "ListMessages": ListMessagesResponse(),
            "BatchGetPresence": BatchGetPresenceResponse(
                presences=[Presence(user_id=story.ANN, status=PRESENCE_STATUS_ONLINE)]
            ),
        }
    )


class DialectConnection(RecordingConnection):
    """A connection of a dialect, which records single payloads."""

    def __init__(self, dialect: Dialect, user_id: str) -> None:
        super().__init__(lines_of(dialect), identity(user_id, name=USERS[user_id].name))
        self.session.dialect_state = dialect.new_state()

    def take(self) -> Frames:
        """Returns what was sent since the previous call."""
        sent, self.written = b"".join(self.written), []
        return [readable(payload) for payload in sent.split(b"\n")[:-1]]


class DialectHarness:
    """A hub with connections of Ann, Bob and Carl, all with the same front-end.

    Args:
        create: creates the dialect.
        tasks: runs lookups.
    """

    def __init__(self, create: Callable[[PresenceCache], Dialect], tasks: BackgroundTasks) -> None:
        self.presence_cache = PresenceCache()
        self.services = services()
        self.dialect = create(self.presence_cache)
        self.delivery_queue = DeliveryQueue(self.services.upstreams, tasks)
        self.hub = Hub(20, self.presence_cache, self.delivery_queue, lambda *_: None)
        self.connections = {
            "ann": DialectConnection(self.dialect, story.ANN),
            "ann elsewhere": DialectConnection(self.dialect, story.ANN),
            "bob": DialectConnection(self.dialect, story.BOB),
            "carl": DialectConnection(self.dialect, story.CARL),
        }
        for connection in self.connections.values():
            self.hub.add(connection)
        self.presence_cache.mark_synced([story.ORGANIZATION])  # nobody else was online before

    async def join(self) -> None:
        """Opens another connection of Bob's that subscribes to more, in dialects that have that."""
        self.presence_cache.mark_synced([story.ORGANIZATION])
        if self.dialect.name not in JOINING:
            return
        connection = self.connections["bob (joined)"] = DialectConnection(self.dialect, story.BOB)
        self.hub.add(connection)
        for emitted in JOINING[self.dialect.name]:
            request = self.dialect.decode(EmittedFrame(json.dumps(emitted), ""), connection.session)
            assert isinstance(request.command, CallUpstream)
            await request.command.run(self.services.client(connection.session.identity))

    async def take(self) -> dict[str, Frames]:
        """Returns what each connection was sent since the previous call, once all lookups are done."""
        while len(self.delivery_queue.waiting):
            await asyncio.sleep(0)
        return {name: connection.take() for name, connection in self.connections.items()}


async def play_story(name: str) -> dict[str, dict[str, Frames]]:
    """Returns the whole story in a dialect: by event, and by connection."""
    async with running_background_tasks() as tasks:
        harness = DialectHarness(lambda presence_cache: dialects(presence_cache)[name], tasks)
        await harness.join()
        origin = harness.connections["ann"].session.connection_id
        events: dict[str, dict[str, Frames]] = {}
        for label, chat_event in story.chat_events(origin).items():
            harness.hub.deliver_chat([chat_event])
            events[label] = await harness.take()
        for label, notify_event in story.notify_events().items():
            harness.hub.deliver_notify([notify_event])
            events[label] = await harness.take()
        for label, presence_event in story.presence_events().items():
            harness.hub.deliver_presence([presence_event])
            events[label] = await harness.take()
    return events
