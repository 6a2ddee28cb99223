"""The story of `story` as it is told to people who use one dialect: through the hub, to connections that keep it."""

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
from gateway.dialects.base import Dialect, DialectContext, WireFormat
from gateway.dialects.registry import all_dialects
from gateway.dialects.socketio_base import EmittedFrame
from gateway.sessions.commands import CallUpstream
from gateway.sessions.user_client import BackgroundTasks, running_background_tasks
from gateway.upstream.presence_cache import PresenceCache
from tests.unit.gateway.dialects import story
from tests.unit.gateway.dialects.services import USERS, Services, everybody
from tests.unit.gateway.fixtures import RecordingConnection, identity

NOW: Final = "now"
"""Stands for a time that the gateway takes from its clock."""

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
"""What clients emit to be told of more, in the dialects that have it."""


def dialects(presence_cache: PresenceCache | None = None) -> dict[str, Dialect]:
    """All dialects, by name."""
    return all_dialects(DialectContext(everybody(), presence_cache or PresenceCache()))


def readable(payload: bytes) -> Any:
    """A payload so that it can be read in a file, with nothing lost: packets of Socket.IO as [type, data]."""
    text = payload.decode()
    kind = re.match(r"\d*(?=\[)", text)
    packet = kind.group() if kind is not None else ""
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
    """What the services have to say in the story."""
    return Services(
        {
            "GetConversation": GetConversationResponse(conversation=story.conversation()),
            "ListMessages": ListMessagesResponse(),
            "BatchGetPresence": BatchGetPresenceResponse(
                presences=[Presence(user_id=story.ANN, status=PRESENCE_STATUS_ONLINE)]
            ),
        }
    )


class Listener(RecordingConnection):
    """A connection of a dialect, which keeps each payload for itself."""

    def __init__(self, dialect: Dialect, user_id: str) -> None:
        name = USERS[user_id].name
        super().__init__(WireFormat(dialect, lambda payload: payload + b"\n"), identity(user_id, name=name))
        self.session.dialect_state = dialect.new_state()

    def take(self) -> Frames:
        """What was told since this was last asked."""
        told, self.written = b"".join(self.written), []
        return [readable(payload) for payload in told.split(b"\n")[:-1]]


class Stage:
    """A hub, and Ann, Bob and Carl, all with the same front-end.

    Args:
        dialect: makes what they speak.
        tasks: what takes calls is done here.
    """

    def __init__(self, dialect: Callable[[PresenceCache], Dialect], tasks: BackgroundTasks) -> None:
        presence_cache = PresenceCache()
        self.services = services()
        self.dialect = dialect(presence_cache)
        self.delivery_queue = DeliveryQueue(
            lambda session, run, answer: tasks.start("event", run(self.services.calls(session.identity)), answer)
        )
        self.hub = Hub(20, presence_cache, self.delivery_queue, lambda *_: None)
        self.listeners = {
            "ann": Listener(self.dialect, story.ANN),
            "ann elsewhere": Listener(self.dialect, story.ANN),
            "bob": Listener(self.dialect, story.BOB),
            "carl": Listener(self.dialect, story.CARL),
        }
        for listener in self.listeners.values():
            self.hub.add(listener)
        self.hub.presence_complete([story.ORGANIZATION])  # nobody else was here before

    async def join(self) -> None:
        """One more connection of Bob's asks to be told of more, where the dialect has that."""
        self.hub.presence_complete([story.ORGANIZATION])
        if self.dialect.name not in JOINING:
            return
        listener = self.listeners["bob (joined)"] = Listener(self.dialect, story.BOB)
        self.hub.add(listener)
        for emitted in JOINING[self.dialect.name]:
            request = self.dialect.decode(EmittedFrame(json.dumps(emitted), ""), listener.session)
            assert isinstance(request.command, CallUpstream)
            await request.command.run(self.services.calls(listener.session.identity))

    async def told(self) -> dict[str, Frames]:
        """What everybody was told since this was last asked, once all of it is said."""
        while len(self.delivery_queue.waiting):
            await asyncio.sleep(0)
        return {name: listener.take() for name, listener in self.listeners.items()}


async def told(name: str) -> dict[str, dict[str, Frames]]:
    """The whole story in a dialect: by event, and by whom it is told to."""
    async with running_background_tasks() as tasks:
        stage = Stage(lambda presence_cache: dialects(presence_cache)[name], tasks)
        await stage.join()
        origin = stage.listeners["ann"].session.session_id
        events: dict[str, dict[str, Frames]] = {}
        for label, happened in story.chat_events(origin).items():
            stage.hub.deliver_chat([happened])
            events[label] = await stage.told()
        for label, notified in story.notify_events().items():
            stage.hub.deliver_notify([notified])
            events[label] = await stage.told()
        for label, seen in story.presence_events().items():
            stage.hub.deliver_presence([seen])
            events[label] = await stage.told()
    return events
