"""The gateway keeps an organization's presence exactly as long as the presence service assumes that it does."""

from __future__ import annotations

from typing import Any, cast

import pytest
from parley.auth.v1.user_pb2 import ROLE_SALES
from parley.presence.v1 import presence_pb2 as presence

from gateway.connections.hub import Hub
from gateway.dialects.base import Dialect
from gateway.upstream import presence_cache as presence_cache_module
from gateway.upstream.presence_cache import PresenceCache
from gateway.upstream.presence_stream import PresenceReporter
from tests.unit.gateway.dialects.fixture import dialects
from tests.unit.gateway.fixtures import RecordingConnection, identity, lines_of, native_wire_format, no_lookups

BOB = presence.Event(
    organization_id="acme",
    presence=presence.Presence(user_id="bob", status=presence.PRESENCE_STATUS_ONLINE),
    role=ROLE_SALES,
)


class Gateway:
    """A hub, a presence cache, and a presence reporter."""

    def __init__(self, dialect: Dialect | None = None) -> None:
        self.presence_cache = PresenceCache()
        self.delivery_queue = no_lookups()
        self.hub = Hub(20, self.presence_cache, self.delivery_queue, lambda *_: None)
        self.presence_reporter = PresenceReporter(
            cast(Any, None),  # the stream is not opened here
            gateway_id="g",
            metadata=cast(Any, None),
            deliver=self.hub.deliver_presence,
            mark_synced=self.presence_cache.mark_synced,
        )
        self._wire_format = native_wire_format() if dialect is None else lines_of(dialect)

    def come(self) -> RecordingConnection:
        """Connects Ann."""
        connection = RecordingConnection(self._wire_format, identity("ann"))
        self.hub.add(connection)
        session = presence.Session(
            session_id=connection.session.connection_id, organization_id="acme", user_id="ann", role=ROLE_SALES
        )
        self.presence_reporter.report(session)
        return connection

    def go(self, connection: RecordingConnection) -> None:
        """Disconnects Ann."""
        self.hub.remove(connection)
        self.presence_reporter.close(connection.session.connection_id)

    @property
    def online(self) -> list[str]:
        """The online users, as Ann sees them."""
        return [found.presence.user_id for found in self.presence_cache.online(identity("ann"))]


def test_who_is_here_is_known_while_somebody_is_connected() -> None:
    gateway = Gateway()
    first = gateway.come()
    gateway.presence_reporter.first_request()
    gateway.presence_reporter.handle(presence.AttachResponse(events=[BOB], synced_organization_ids=["acme"]))
    gateway.come()
    gateway.go(first)
    assert gateway.online == ["bob"]


def test_who_is_here_is_known_when_the_last_one_goes_and_comes_back_in_one_breath() -> None:
    """As when a page reloads: the close is reported in a request of its own, so presence sends a new snapshot."""
    gateway = Gateway()
    connection = gateway.come()
    gateway.presence_reporter.first_request()
    gateway.presence_reporter.handle(presence.AttachResponse(events=[BOB], synced_organization_ids=["acme"]))
    gateway.go(connection)
    assert gateway.online == []
    returned = gateway.come()
    end, beginning = gateway.presence_reporter.next_request(), gateway.presence_reporter.next_request()
    assert (list(end.closed), list(end.upsert)) == ([connection.session.connection_id], [])
    assert [session.session_id for session in beginning.upsert] == [returned.session.connection_id]
    assert list(beginning.closed) == []
    gateway.presence_reporter.handle(presence.AttachResponse(events=[BOB], synced_organization_ids=["acme"]))
    assert gateway.online == ["bob"]


def test_those_who_were_here_before_the_first_connection_do_not_come_now() -> None:
    """Their events come before the organization is synced; front-ends see them in the lists they request."""
    gateway = Gateway(dialects()["helpdesk"])
    ann = gateway.come()
    gateway.presence_reporter.first_request()
    gateway.presence_reporter.handle(presence.AttachResponse(events=[BOB]))
    gateway.presence_reporter.handle(presence.AttachResponse(synced_organization_ids=["acme"]))
    assert gateway.online == ["bob"]
    assert ann.frames == []
    assert ann not in gateway.delivery_queue.waiting


async def test_a_question_of_one_who_is_gone_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that timed out for an earlier connection must not mark the organization as synced."""
    monkeypatch.setattr(presence_cache_module, "SYNC_TIMEOUT_SECONDS", 0.01)
    gateway = Gateway(dialects()["helpdesk"])
    gateway.go(gateway.come())
    await gateway.presence_cache.wait_synced("acme")
    ann = gateway.come()
    gateway.presence_reporter.handle(presence.AttachResponse(events=[BOB]))
    assert ann not in gateway.delivery_queue.waiting
    assert gateway.online == ["bob"]
