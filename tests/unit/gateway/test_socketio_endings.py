"""However and whenever a Socket.IO client disconnects, the gateway keeps no state and no task for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from gateway.connections.connection import Connection
from gateway.sessions.session import EXPIRED, Close
from gateway.transports.socketio import server as socketio
from gateway.wire import close_codes
from tests.unit.gateway.socketio_harness import (
    Poller,
    RecordingDispatcher,
    SocketIoHarness,
    WebSocketClient,
    joining,
    nothing_logged,
    open_harness,
)

DISABLED = Close(close_codes.ACCOUNT_DISABLED, "the account is disabled", is_final=True)

Going = Callable[[SocketIoHarness, WebSocketClient], Awaitable[None]]


async def turns() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def breaks(_: SocketIoHarness, client: WebSocketClient) -> None:
    client.break_off()


async def says_so(_: SocketIoHarness, client: WebSocketClient) -> None:
    client.send("1")


async def leaves_its_namespace_and_breaks(_: SocketIoHarness, client: WebSocketClient) -> None:
    client.send("41")
    client.break_off()


async def is_sent_away(harness: SocketIoHarness, client: WebSocketClient) -> None:
    await harness.socketio.disconnect_client(client.websocket.sid)


async def is_closed_for_good(harness: SocketIoHarness, _: WebSocketClient) -> None:
    for connection in tuple(harness.dispatcher.open):
        connection.end(DISABLED)


async def loses_its_token(harness: SocketIoHarness, _: WebSocketClient) -> None:
    for connection in tuple(harness.dispatcher.open):
        connection.end(EXPIRED)


async def talks_nonsense(_: SocketIoHarness, client: WebSocketClient) -> None:
    client.send("451-[]")


WAYS: list[Going] = [
    breaks,
    says_so,
    leaves_its_namespace_and_breaks,
    is_sent_away,
    is_closed_for_good,
    loses_its_token,
    talks_nonsense,
]
every_way = pytest.mark.parametrize("goes", WAYS, ids=lambda way: way.__name__)


@every_way
async def test_nothing_is_kept_of_one_who_was_there(goes: Going) -> None:
    with nothing_logged():
        async with open_harness() as harness:
            client = WebSocketClient(harness)
            client.send(joining())
            await client.wait_for("40")
            assert set(harness.kept().values()) == {1}
            await goes(harness, client)
            await turns()
            assert set(harness.kept().values()) == {0}, harness.kept()
            client.send('42["typing",{}]')
            assert harness.dispatcher.received_frames == []


@every_way
@pytest.mark.parametrize("becomes_ready", [True, False])
async def test_nothing_is_kept_of_one_who_goes_while_coming(
    goes: Going, becomes_ready: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session need not be ready by then."""
    monkeypatch.setattr(socketio, "READY_TIMEOUT_SECONDS", 0.5)
    with nothing_logged():
        async with open_harness(RecordingDispatcher(ready=False)) as harness:
            client = WebSocketClient(harness)
            await client.wait_for("0")
            client.send(joining())
            await turns()
            assert len(harness.dispatcher.open) == 1
            sessions = [connection.session for connection in harness.dispatcher.open]
            await goes(harness, client)
            await turns()
            if becomes_ready:
                for session in sessions:
                    session.become_ready()
            async with asyncio.timeout(20):
                while any(harness.kept().values()):
                    await asyncio.sleep(0.01)


async def test_a_connection_that_the_dispatcher_refuses_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with too many connections: the wait ends at once, and not at its timeout."""
    monkeypatch.setattr(socketio, "READY_TIMEOUT_SECONDS", 1_000.0)

    class FullDispatcher(RecordingDispatcher):
        def opened(self, connection: Connection) -> None:
            connection.close(close_codes.TOO_MANY, "too many connections")

    async with open_harness(FullDispatcher()) as harness:
        client = WebSocketClient(harness)
        await client.wait_for("0")
        client.send(joining())
        await turns()
        assert client.closed_with is not None
        assert set(harness.kept().values()) == {0}, harness.kept()


async def test_one_who_polls_and_goes_while_coming_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socketio, "READY_TIMEOUT_SECONDS", 0.5)
    with nothing_logged():
        async with open_harness(RecordingDispatcher(ready=False)) as harness:
            client = Poller(harness)
            await client.open()
            coming = asyncio.create_task(client.post(joining()))
            await turns()
            assert len(harness.dispatcher.open) == 1
            await client.post("1")
            await asyncio.wait([coming])
            await turns()
            assert set(harness.kept().values()) == {0}, harness.kept()


@pytest.mark.parametrize(
    ("namespace", "within", "name"),
    [
        ("/", "", "sessionClosed"),
        ("/telecom", "/telecom,", "sessionClosed"),
        ("/projects", "/projects,", "session_closed"),
    ],
)
@pytest.mark.parametrize(("close", "is_final"), [(EXPIRED, False), (DISABLED, True)])
async def test_a_client_reads_why_it_is_closed_and_reconnects_only_where_that_heals(
    namespace: str, within: str, name: str, close: Close, is_final: bool
) -> None:
    """A client of Socket.IO reconnects after a mere close, with a new token, and not after a disconnect packet."""
    async with open_harness() as harness:
        client = WebSocketClient(harness)
        client.send(joining(namespace))
        await client.wait_for("40")
        (connection,) = harness.dispatcher.open
        connection.end(close)
        async with asyncio.timeout(20):
            while client.closed_with is None:
                await asyncio.sleep(0)
        event, *others = client.take()
        body = {"code": close.code, "message": close.reason, "reconnect": not is_final}
        assert event.startswith(f"42{within}")
        assert json.loads(event[2 + len(within) :]) == [name, body]
        assert [packet for packet in others if packet.startswith("41")] == ([f"41{within}"] if is_final else [])


async def test_a_bad_token_is_refused_and_a_good_one_taken_after_it() -> None:
    async with open_harness() as harness:
        client = WebSocketClient(harness)
        await client.wait_for("0")
        client.send(joining(token="bad"))
        refusal = json.loads((await client.wait_for("44"))[2:])
        assert (refusal["message"], refusal["data"]["reason"]) == ("unauthorized", "TOKEN_INVALID")
        assert harness.dispatcher.open == []
        client.send(joining())
        await client.wait_for("40")
        assert len(harness.dispatcher.open) == 1


async def test_who_joins_a_namespace_twice_is_there_once() -> None:
    async with open_harness() as harness:
        client = WebSocketClient(harness)
        await client.wait_for("0")
        client.send(joining())
        await client.wait_for("40")
        client.send(joining())
        await client.wait_for("44")
        assert len(harness.dispatcher.open) == 1
        client.break_off()
        await turns()
        assert set(harness.kept().values()) == {0}


async def test_the_harness_closes_while_clients_are_there_and_while_they_come() -> None:
    dispatcher = RecordingDispatcher()
    with nothing_logged():
        async with asyncio.timeout(20), open_harness(dispatcher) as harness:
            there, coming, nobody, poller = (
                WebSocketClient(harness),
                WebSocketClient(harness),
                WebSocketClient(harness),
                Poller(harness),
            )
            await poller.open()
            for client in (there, coming, nobody):
                await client.wait_for("0")
            there.send(joining())
            await there.wait_for("40")
            dispatcher.ready = False
            coming.send(joining(token="bob"))
            await turns()
            assert len(dispatcher.open) == 2
            dispatcher.open[1].session.become_ready()
    assert dispatcher.open == []
    assert all(client.closed_with is not None for client in (there, coming, nobody))


async def test_who_talks_on_and_on_while_coming_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its packets wait while it joins; their number is limited."""
    monkeypatch.setattr(socketio, "READY_TIMEOUT_SECONDS", 0.5)
    async with open_harness(RecordingDispatcher(ready=False)) as harness:
        client = WebSocketClient(harness)
        await client.wait_for("0")
        client.send(joining())
        await turns()
        for _ in range(1_000):
            client.send("43[" + "0," * 1_000 + "0]")
        assert client.closed_with == close_codes.TOO_MANY
        async with asyncio.timeout(20):
            while any(harness.kept().values()):
                await asyncio.sleep(0.01)
