"""The ends of connections, and their close codes."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any

import pytest
from parley.auth.v1 import auth_pb2, directory_pb2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from gateway.transports.websocket import socket as transport
from tests.component.auth_service import PASSWORD, RunningAuth, SignedIn, running_auth
from tests.component.gateway.websocket.conftest import SCOPES
from tests.component.gateway.websocket.harness import (
    SUBPROTOCOL,
    Client,
    Databases,
    Harness,
    Targets,
    announced,
    running_chat,
    running_gateway,
    send,
    talking,
)
from tests.component.gateway.websocket.test_bad_frames import PING, frame, write

LIFETIME_SECONDS = 900.0


class LateClock:
    """A clock for auth that is slow, so that new tokens expire within seconds."""

    def __init__(self) -> None:
        self.seconds_left = LIFETIME_SECONDS

    def __call__(self) -> float:
        """The time, in s."""
        return time.time() - LIFETIME_SECONDS + self.seconds_left


@pytest.fixture
def clock() -> LateClock:
    """The clock of `hasty_auth`; correct until a test changes it."""
    return LateClock()


@pytest.fixture
async def hasty_auth(stores: Databases, clock: LateClock) -> AsyncIterator[RunningAuth]:
    """An auth whose tokens expire when `clock` says."""
    async with running_auth(stores.mongodb_uri, stores.redis_url, unix_time=clock, scopes=SCOPES) as running:
        yield running


async def test_a_connection_ends_with_its_token_unless_a_newer_one_came(
    hasty_auth: RunningAuth, stores: Databases, clock: LateClock
) -> None:
    await hasty_auth.create_organization("acme")
    user = (await hasty_auth.create_user("acme", "manager", email="ann@acme.example", password=PASSWORD)).email
    async with running_chat(hasty_auth, stores) as chat, running_gateway(hasty_auth, Targets(chat)) as gateway:
        clock.seconds_left = 8.0
        ann = await hasty_auth.sign_in(user)
        until_expiry, refreshed = await gateway.connect(ann, ready=False), await gateway.connect(ann, ready=False)
        clock.seconds_left = 16.0
        newer = await hasty_auth.sign_in(user)
        answer = await refreshed.ask("session.refresh", accessToken=newer.access_token)
        assert answer["expireTime"].startswith(newer.tokens.expire_time.ToDatetime().isoformat()[:19])
        assert await until_expiry.closed() == 4401
        assert refreshed.socket.close_code is None
        assert await refreshed.closed() == 4401


@pytest.mark.parametrize(
    ("namespace", "refresh", "expiring", "closed"),
    [
        ("", "refreshSession", "sessionExpiring", "sessionClosed"),
        ("/projects,", "refresh_session", "session_expiring", "session_closed"),
    ],
)
async def test_a_session_of_socket_io_outlives_its_token_by_a_refresh_and_ends_so_that_its_client_returns(
    hasty_auth: RunningAuth,
    stores: Databases,
    clock: LateClock,
    *,
    namespace: str,
    refresh: str,
    expiring: str,
    closed: str,
) -> None:
    await hasty_auth.create_organization("acme")
    user = (await hasty_auth.create_user("acme", "manager", email="ann@acme.example", password=PASSWORD)).email
    async with running_chat(hasty_auth, stores) as chat, running_gateway(hasty_auth, Targets(chat)) as gateway:
        clock.seconds_left = 8.0
        ann = await hasty_auth.sign_in(user)
        url = f"ws://127.0.0.1:{gateway.http_port}/socket.io/?EIO=4&transport=websocket"
        async with connect(url, proxy=None) as socket:
            await socket.send(f"40{namespace}" + json.dumps({"token": ann.access_token}))
            await packet(socket, f"42{namespace}", expiring)
            clock.seconds_left = 16.0
            newer = await hasty_auth.sign_in(user)
            await socket.send(f"42{namespace}1" + json.dumps([refresh, {"accessToken": newer.access_token}]))
            (answer,) = await packet(socket, f"43{namespace}1", "")
            expiry = newer.tokens.expire_time.ToDatetime().isoformat()[:19]
            assert answer["ok"] and answer["expireTime"].startswith(expiry)
            _, body = await packet(socket, f"42{namespace}", closed)
            assert body == {"code": 4401, "message": "the token has expired", "reconnect": True}
            assert time.time() >= newer.tokens.expire_time.ToDatetime(tzinfo=UTC).timestamp() - 0.5
            with pytest.raises(ConnectionClosedError):
                await packet(socket, "41", "")
        async with connect(url, proxy=None) as socket:
            await socket.send(f"40{namespace}" + json.dumps({"token": ann.access_token}))
            refusal = await packet(socket, f"44{namespace}", "")
            assert (refusal["message"], refusal["data"]["reason"]) == ("unauthorized", "TOKEN_EXPIRED")


async def packet(socket: ClientConnection, start: str, name: str) -> Any:
    """Waits for a packet that starts so and has this name among its data, and returns the data."""
    async with asyncio.timeout(60):
        while True:
            text = str(await socket.recv())
            if text == "2":
                await socket.send("3")
            if text.startswith(start) and name in text:
                return json.loads(text[len(start) :])


async def test_a_refresh_takes_a_valid_token_of_the_same_user(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    anns = await stack.gateway.connect(ann)
    assert await anns.refused("session.refresh", accessToken=bob.access_token) == (
        "PERMISSION_DENIED",
        "TOKEN_OF_ANOTHER_USER",
    )
    assert await anns.refused("session.refresh", accessToken="x.y.z") == ("UNAUTHENTICATED", "TOKEN_INVALID")
    newer = await stack.auth.sign_in(ann.user.email)
    assert "expireTime" in await anns.ask("session.refresh", accessToken=newer.access_token)
    await anns.ask("user.me")


async def test_signing_out_closes_the_connections_of_that_session_alone(stack: Harness, ann: SignedIn) -> None:
    elsewhere = await stack.auth.sign_in(ann.user.email)
    here, there = await stack.gateway.connect(ann), await stack.gateway.connect(elsewhere)
    await stack.auth.auth.SignOut(auth_pb2.SignOutRequest(), metadata=ann.metadata, timeout=20)
    assert await here.closed() == 4401
    await there.ask("user.me")


async def test_disabling_an_account_closes_all_of_its_connections(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    bobs, bobs_phone, anns = [await stack.gateway.connect(user) for user in (bob, bob, ann)]
    await stack.auth.directory.DeactivateUser(
        directory_pb2.DeactivateUserRequest(user_id=bob.user_id),
        metadata=await stack.auth.service_metadata(bob.user.organization_id),
        timeout=20,
    )
    assert await bobs.closed() == 4403
    assert await bobs_phone.closed() == 4403
    await anns.ask("user.me")


async def test_a_user_has_only_so_many_connections(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    async with running_gateway(stack.auth, stack.targets, connections_per_user=2) as gateway:
        first, _ = await gateway.connect(ann), await gateway.connect(ann)
        assert await (await gateway.connect(ann, ready=False)).closed() == 4429
        await gateway.connect(bob)
        await first.close()
        await gateway.connect(ann)


@pytest.mark.parametrize("flood", [frame(1, b'{"id":1,"op":"nothing"}'), frame(PING, b"")])
async def test_a_flood_of_frames_closes(stack: Harness, ann: SignedIn, flood: bytes) -> None:
    async with running_gateway(stack.auth, stack.targets, frames_per_second=50) as gateway:
        client = await gateway.connect(ann)
        write(client, flood * 200)
        assert await client.closed() == 4429


async def test_more_requests_than_may_be_unanswered_are_refused(stack: Harness, ann: SignedIn) -> None:
    async with running_gateway(stack.auth, stack.targets, requests_in_flight=2) as gateway:
        client = await gateway.connect(ann)
        replies = await asyncio.gather(*(client.request("user.me") for _ in range(10)))
        refusals = [reply["error"] for reply in replies if "error" in reply]
        assert {error["reason"] for error in refusals} == {"TOO_MANY_REQUESTS"}
        assert all(error["retryAfterMs"] > 0 for error in refusals)
        await client.ask("user.me")


async def test_a_reader_that_is_too_slow_is_closed_and_catches_up_while_the_others_go_on(
    stack: Harness, ann: SignedIn, bob: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "LINGER_SECONDS", 60.0)  # it reads after everything is sent, however long that takes
    async with running_gateway(stack.auth, stack.targets, max_send_buffer_bytes=65_536) as gateway:
        anns, bobs, conversation_id = await talking(gateway, ann, bob)
        with socket.socket() as plain:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            plain.connect(("127.0.0.1", gateway.port))
            plain.setblocking(False)
            offered = [SUBPROTOCOL, announced(bob.access_token)]
            slow = await connect(gateway.url, sock=plain, subprotocols=offered, proxy=None, max_queue=1)  # type: ignore[arg-type]
            for _ in range(8):
                await asyncio.gather(*(send(anns, conversation_id, "x" * 16_000) for _ in range(100)))
            await send(anns, conversation_id, "last")
            with pytest.raises(ConnectionClosedError) as closed:
                async with asyncio.timeout(60):
                    async for _ in slow:
                        pass
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4408
        await bobs.message("last")
        assert await synced(await gateway.connect(bob), conversation_id) == list(range(1, 802))


async def synced(client: Client, conversation_id: str) -> list[int]:
    """Returns the seq of each message, by the sync of a client without state."""
    seqs: list[int] = []
    rev, has_more = 0, True
    while has_more:
        page = await client.ask("message.sync", conversationId=conversation_id, afterRev=rev, pageSize=50)
        seqs += [message["seq"] for message in page["messages"]]
        rev, has_more = page["messages"][-1]["rev"], page["hasMore"]
    return sorted(seqs)


async def test_a_silent_peer_is_dropped_and_one_that_answers_pings_is_not(stack: Harness, ann: SignedIn) -> None:
    async with running_gateway(stack.auth, stack.targets, ping_seconds=0.5, idle_timeout_seconds=4.0) as gateway:
        silent, alive = await gateway.connect(ann), await gateway.connect(ann)
        silent.socket.transport.pause_reading()
        await asyncio.sleep(6.0)  # longer than the idle timeout, and shorter than the time to read the close code
        silent.socket.transport.resume_reading()
        assert await silent.closed() == 1001
        await alive.ask("user.me")


async def test_a_goodbye_is_answered(stack: Harness, ann: SignedIn) -> None:
    client: Client = await stack.gateway.connect(ann)
    await client.socket.close(4000, "bye")
    assert client.socket.protocol.close_rcvd is not None
    assert client.socket.protocol.close_rcvd.code == 4000
