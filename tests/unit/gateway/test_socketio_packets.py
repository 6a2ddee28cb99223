"""Any Socket.IO packet is dispatched, rejected or ignored, and none raises an exception."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.socketio_base import EmittedFrame
from gateway.sessions.commands import Request
from tests.unit.gateway.socketio_harness import (
    LIMITS,
    Poller,
    RecordingDispatcher,
    SocketIoHarness,
    WebSocketClient,
    joining,
    nothing_logged,
    open_harness,
)


class DecodingDispatcher(RecordingDispatcher):
    """A dispatcher that decodes frames."""

    def received(self, connection: Any, frame: object) -> None:
        super().received(connection, frame)
        assert isinstance(connection.wire_format.dialect.decode(frame, connection.session), Request)


@pytest.fixture
async def harness() -> AsyncIterator[SocketIoHarness]:
    async with open_harness(DecodingDispatcher()) as opened:
        yield opened


async def joined(harness: SocketIoHarness, *namespaces: str) -> WebSocketClient:
    client = WebSocketClient(harness)
    await client.wait_for("0")
    for namespace in namespaces or ("/",):
        client.send(joining(namespace))
        await client.wait_for("40")
    return client


@pytest.mark.parametrize(
    ("packet", "namespace", "event", "acknowledgement"),
    [
        ('2["typing",{}]', "/", '["typing",{}]', ""),
        ('27["typing",{}]', "/", '["typing",{}]', "7"),
        ('2007["typing",{}]', "/", '["typing",{}]', "007"),
        ('2/projects,["typing",{}]', "/projects", '["typing",{}]', ""),
        ('2/projects,12["typing",{}]', "/projects", '["typing",{}]', "12"),
        ('2/projects?a=b,12["typing",{}]', "/projects", '["typing",{}]', "12"),
        ('2/telecom,["a,b","/projects,["]', "/telecom", '["a,b","/projects,["]', ""),
        ("2[", "/", "[", ""),
        ("2999999999999999999[]", "/", "[]", "999999999999999999"),
    ],
)
async def test_an_event_is_taken(
    harness: SocketIoHarness, packet: str, namespace: str, event: str, acknowledgement: str
) -> None:
    client = await joined(harness, "/", "/projects", "/telecom")
    client.send("4" + packet)
    ((connection, frame),) = harness.dispatcher.received_frames
    assert frame == EmittedFrame(event, acknowledgement)
    assert connection.wire_format.dialect is harness.dialects[namespace]


@pytest.mark.parametrize(
    "packet", ['2{"a":1}', "2", "27", "2 7[]", "2-7[]", "2x[]", "2\u0667[]", "29999999999999999999[]", "2/projects,"]
)
async def test_what_is_no_event_is_refused(harness: SocketIoHarness, packet: str) -> None:
    client = await joined(harness, "/", "/projects")
    client.send("4" + packet)
    assert harness.dispatcher.received_frames == []
    assert [error.reason for error in harness.dispatcher.unreadable_frames] == ["MALFORMED_PACKET"]


@pytest.mark.parametrize("packet", ['2/projects,["a"]', '2/nowhere,["a"]', "2/projects", "2/", "2//,[]", "2/,[]"])
async def test_what_is_of_no_namespace_that_was_joined_is_passed_over(harness: SocketIoHarness, packet: str) -> None:
    client = await joined(harness, "/telecom")
    client.send("4" + packet)
    assert (harness.dispatcher.received_frames, harness.dispatcher.unreadable_frames) == ([], [])


async def test_what_comes_by_polling_is_taken_the_same_way(harness: SocketIoHarness) -> None:
    client = Poller(harness)
    await client.open()
    await client.post(joining("/projects"))
    assert (await client.poll())[0].startswith("40/projects,")
    await client.post('42/projects,7["typing",{}]', '42/projects,["typing",{}]')
    assert [frame for _, frame in harness.dispatcher.received_frames] == [
        EmittedFrame('["typing",{}]', "7"),
        EmittedFrame('["typing",{}]', ""),
    ]


async def test_however_much_a_client_says_at_once_by_polling_is_taken(harness: SocketIoHarness) -> None:
    client = Poller(harness)
    await client.open()
    await client.post(joining())
    await client.poll()
    await client.post(*(f'42["typing",{number}]' for number in range(300)))
    assert [frame for _, frame in harness.dispatcher.received_frames] == [
        EmittedFrame(f'["typing",{number}]', "") for number in range(300)
    ]


@pytest.mark.parametrize("packet", ['42["typing"]', "3", "5", "40", "41/nowhere,"])
async def test_a_flood_by_polling_ends_the_session_whatever_it_is_of(harness: SocketIoHarness, packet: str) -> None:
    client = Poller(harness)
    await client.open()
    await client.post(joining())
    with nothing_logged(), pytest.raises(httpx.HTTPStatusError, match="400"):
        await client.post(*[packet] * 3_000)
    assert harness.kept()["outputs"] == 0
    assert len(harness.dispatcher.received_frames) <= 2 * LIMITS.frames_per_second


packets = st.text(max_size=60) | st.builds(
    lambda kind, namespace, number, body: f"{kind}{namespace}{number}{body}",
    st.sampled_from(["2", "2", "2", "22"]),
    st.sampled_from(["", "/projects,", "/telecom,", "/nowhere,", "/projects", "/projects?x=1,", "/", "/,", ","]),
    st.sampled_from(["", "7", "0", "-1", "1" * 18, "1" * 19, " ", "\u0667", "1e3"]),
    st.sampled_from(["", "[", "[]", "{}", '["typing"', "null", "[" * 3_000])
    | st.builds(
        lambda *parts: json.dumps(parts),
        st.sampled_from(["typing", "sendMessage", "send_message", "x" * 100]) | st.none() | st.integers(),
        st.none() | st.integers() | st.dictionaries(st.sampled_from(["conversationId", "tempId", "userId"]), st.text()),
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(packets, max_size=8))
def test_whatever_comes_nothing_raises_and_what_is_good_is_still_taken(received_frames: list[str]) -> None:
    asyncio.run(take_all(received_frames))


async def take_all(received_frames: list[str]) -> None:
    async with open_harness(DecodingDispatcher()) as harness:
        client = await joined(harness, "/", "/projects")
        with nothing_logged():
            for packet in received_frames:
                harness.socketio.receive_event(client.websocket.sid, "2" + packet)
            harness.socketio.receive_event("nobody", "2[]")
            client.send('42["last"]')
        assert harness.dispatcher.received_frames[-1][1] == EmittedFrame('["last"]', "")


@settings(max_examples=150, deadline=None)
@given(packets, st.booleans())
def test_whatever_comes_in_place_of_an_event_harms_nobody_else(packet: str, is_polled: bool) -> None:
    asyncio.run(take_instead(packet, is_polled))


async def take_instead(packet: str, is_polled: bool) -> None:
    """Sends any Engine.IO packet from one client; another client stays connected."""
    async with open_harness(DecodingDispatcher()) as harness:
        other = await joined(harness)
        with nothing_logged():
            if is_polled:
                poller = Poller(harness)
                await poller.open()
                await harness.http.post(f"/socket.io/?EIO=4&transport=polling&sid={poller.sid}", content=packet)
            else:
                client = await joined(harness)
                client.send(packet)
            for _ in range(20):
                await asyncio.sleep(0)
        other.send('42["still here"]')
        assert harness.dispatcher.received_frames[-1][1] == EmittedFrame('["still here"]', "")


@pytest.mark.parametrize("depth", [100, 900, 1_000, 60_000])
async def test_a_token_that_is_nested_without_end_is_no_fault_of_ours(harness: SocketIoHarness, depth: int) -> None:
    client = WebSocketClient(harness)
    await client.wait_for("0")
    poller = Poller(harness)
    await poller.open()
    gc.collect()  # or a finalizer of an earlier test's garbage could run, and fail, at the end of the stack
    with nothing_logged():
        client.send("40" + "[" * depth + "]" * depth)
        await poller.post("40" + "[" * (depth // 2) + "]" * (depth // 2))
        for _ in range(20):
            await asyncio.sleep(0)
    assert harness.dispatcher.open == []
