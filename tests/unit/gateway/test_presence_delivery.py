"""Presence reaches those who may see it; in a large organization in one write a second."""

from __future__ import annotations

import asyncio

import pytest
from parley.auth.v1.user_pb2 import ROLE_CLIENT, ROLE_SALES, Role
from parley.presence.v1 import presence_pb2 as presence

from gateway.connections import presence_delivery
from gateway.connections.presence_delivery import IMMEDIATE_USERS
from gateway.upstream.presence_cache import PresenceCache
from tests.unit.gateway.fixtures import RecordingConnection, identity, native_wire_format, new_hub

ONLINE, AWAY = presence.PRESENCE_STATUS_ONLINE, presence.PRESENCE_STATUS_AWAY
OFFLINE = presence.PRESENCE_STATUS_OFFLINE


class LargeOrganization:
    """An organization with more connected users than those whose changes are delivered at once."""

    def __init__(self) -> None:
        self.presence_cache = PresenceCache()
        self.hub = new_hub(presence_cache=self.presence_cache)
        self._wire_format = native_wire_format()
        self.staff = [self.join(f"user-{number}") for number in range(IMMEDIATE_USERS)]
        self.client, self.other_client = self.join("cleo", "client"), self.join("carl", "client")
        self.presence_cache.mark_synced(["acme"])

    def join(self, user_id: str, role: str = "sales") -> RecordingConnection:
        connection = RecordingConnection(self._wire_format, identity(user_id, role=role))
        self.hub.add(connection)
        return connection

    def change(
        self, user_id: str, status: presence.PresenceStatus.ValueType, role: Role.ValueType = ROLE_SALES
    ) -> None:
        shown = presence.Presence(user_id=user_id, status=status)
        self.hub.deliver_presence([presence.Event(organization_id="acme", presence=shown, role=role)])


def seen(connection: RecordingConnection) -> list[tuple[str, str]]:
    return [(frame["body"]["userId"], frame["body"]["status"]) for frame in connection.frames]


async def delivered(connection: RecordingConnection) -> None:
    async with asyncio.timeout(20):
        while not connection.written:
            await asyncio.sleep(0.01)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> LargeOrganization:
    monkeypatch.setattr(presence_delivery, "GATHER_SECONDS", 0.05)
    return LargeOrganization()


async def test_changes_are_gathered_to_one_write_with_the_latest_state_of_each_user(large: LargeOrganization) -> None:
    large.change("ann", ONLINE)
    large.change("bob", ONLINE)
    large.change("ann", AWAY)
    assert large.staff[0].written == []
    await delivered(large.staff[-1])
    assert seen(large.staff[0]) == [("ann", "away"), ("bob", "online")]
    assert len(large.staff[0].written) == 1
    assert large.staff[0].written[0] is large.staff[1].written[0]


async def test_a_user_who_is_as_before_is_not_reported(large: LargeOrganization) -> None:
    large.change("ann", ONLINE)
    await delivered(large.staff[-1])
    large.change("ann", OFFLINE)
    large.change("ann", ONLINE)
    large.change("bob", ONLINE)
    large.staff[0].written.clear()
    await delivered(large.staff[0])
    assert seen(large.staff[0]) == [("bob", "online")]


async def test_gathered_changes_of_clients_stay_hidden_from_other_clients(large: LargeOrganization) -> None:
    large.change("cleo", ONLINE, ROLE_CLIENT)
    large.change("ann", ONLINE)
    large.change("dora", ONLINE, ROLE_CLIENT)
    await delivered(large.other_client)
    assert seen(large.staff[0]) == [("cleo", "online"), ("ann", "online"), ("dora", "online")]
    assert seen(large.client) == [("cleo", "online"), ("ann", "online")]
    assert seen(large.other_client) == [("ann", "online")]


async def test_lists_of_online_users_do_not_wait(large: LargeOrganization) -> None:
    large.change("ann", ONLINE)
    assert [event.presence.user_id for event in large.presence_cache.online(identity("bob"))] == ["ann"]


async def test_those_who_connect_after_the_last_one_left_get_no_earlier_change(large: LargeOrganization) -> None:
    large.change("ann", ONLINE)
    for connection in list(large.hub):
        large.hub.remove(connection)
    late = [large.join(f"late-{number}") for number in range(IMMEDIATE_USERS + 1)]
    large.change("bob", ONLINE)
    await delivered(late[-1])
    assert seen(late[0]) == [("bob", "online")]
