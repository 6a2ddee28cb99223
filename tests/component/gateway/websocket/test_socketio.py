"""Clients that behave as Socket.IO's own never do: idle, without polls, in floods, from other origins, with bad data.

tests/dialects has tests with the real clients.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.transports.socketio import server
from tests.component.auth_service import RunningAuth, SignedIn
from tests.component.gateway.websocket.harness import ORIGIN, Gateway, Harness, running_gateway
from tests.component.notify.waiting import eventually

POLLING = "/socket.io/?EIO=4&transport=polling"


class Poller:
    """A client that polls when the test says so."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.sid = ""

    async def open(self) -> httpx.Response:
        """Opens a session."""
        response = await self._http.get(POLLING)
        if response.status_code == httpx.codes.OK:
            self.sid = json.loads(response.text[1:])["sid"]
        return response

    async def poll(self) -> httpx.Response:
        """Returns the packets since the previous poll."""
        return await self._http.get(f"{POLLING}&sid={self.sid}")

    async def post(self, *packets: str) -> httpx.Response:
        """Sends packets."""
        return await self._http.post(f"{POLLING}&sid={self.sid}", content="\x1e".join(packets))

    async def join(self, user: SignedIn) -> None:
        """Joins the default namespace."""
        await self.open()
        await self.post("40" + json.dumps({"token": user.access_token}))
        answer = (await self.poll()).text
        assert answer.startswith("40"), answer


@pytest.fixture
async def http(stack: Harness) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the stack's gateway."""
    async with _client(stack.gateway) as client:
        yield client


def _client(gateway: Gateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=60, trust_env=False)


def _websocket(gateway: Gateway, **options: object) -> connect:
    url = f"ws://127.0.0.1:{gateway.http_port}/socket.io/?EIO=4&transport=websocket"
    return connect(url, proxy=None, **options)  # type: ignore[arg-type]


async def _ended(socket: ClientConnection) -> int | None:
    try:
        while True:
            await socket.recv()
    except ConnectionClosed:
        return socket.close_code


async def test_who_doesn_t_say_who_it_is_is_sent_away(
    stack: Harness, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECT_TIMEOUT_SECONDS", 0.3)
    poller = Poller(http)
    await poller.open()
    async with _websocket(stack.gateway) as socket:
        assert await _ended(socket) is not None

    async def polled() -> int:
        return (await poller.poll()).status_code

    await eventually(polled, lambda status: status == httpx.codes.BAD_REQUEST)


async def test_who_is_refused_in_every_namespace_is_sent_away_too(
    stack: Harness, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECT_TIMEOUT_SECONDS", 3.0)
    async with _websocket(stack.gateway) as socket:
        await socket.send('40{"token":"nonsense"}')
        await socket.send('40/nowhere,{"token":"nonsense"}')
        assert await _ended(socket) is not None


async def test_who_fetches_nothing_is_given_up(auth: RunningAuth, stack: Harness, ann: SignedIn) -> None:
    bob = await auth.sign_in_new(ann.user.organization_id, "employee")
    async with running_gateway(auth, stack.targets, max_send_buffer_bytes=20_000) as gateway, _client(gateway) as http:
        poller = Poller(http)
        await poller.join(ann)
        talker, beside = await gateway.connect(bob), await gateway.connect(ann)
        direct = await talker.ask("conversation.direct", userId=ann.user_id)
        conversation_id = direct["conversation"]["conversationId"]
        for number in range(30):
            key, text = secrets.token_hex(8), f"{number} " + "x" * 1_000
            await talker.ask("message.send", conversationId=conversation_id, clientMessageId=key, text=text)
        await beside.message(text)  # all are delivered, and none is fetched

        async def polled() -> int:
            return (await poller.poll()).status_code

        await eventually(polled, lambda status: status == httpx.codes.BAD_REQUEST)


async def test_more_than_a_gateway_can_greet_are_refused(auth: RunningAuth, stack: Harness) -> None:
    settings = {"connections_per_second": 1, "connections_burst": 5}
    async with running_gateway(auth, stack.targets, **settings) as gateway, _client(gateway) as http:
        answers = await asyncio.gather(*(Poller(http).open() for _ in range(60)))
        statuses = [answer.status_code for answer in answers]
        assert 5 <= statuses.count(httpx.codes.OK) < len(statuses)
        assert (await http.get("/healthz")).status_code == httpx.codes.OK


async def test_pages_of_other_origins_may_not_connect(stack: Harness, http: httpx.AsyncClient) -> None:
    foreign, ours = {"Origin": "https://evil.example"}, {"Origin": ORIGIN}
    assert (await http.get(POLLING, headers=foreign)).status_code == httpx.codes.BAD_REQUEST
    welcome = await http.get(POLLING, headers=ours)
    assert (welcome.status_code, welcome.headers["Access-Control-Allow-Origin"]) == (httpx.codes.OK, ORIGIN)
    with pytest.raises(InvalidStatus) as refused:
        async with _websocket(stack.gateway, additional_headers=foreign):
            pass
    assert refused.value.response.status_code == httpx.codes.FORBIDDEN
    async with _websocket(stack.gateway, additional_headers=ours):
        pass


NONSENSE = ["4", "49", "44{}", "4x", "40{", "40/,0/,0/,", "43[]", "451-[]", "7", "", "bAAAA"]


@pytest.mark.parametrize("packet", NONSENSE)
async def test_nonsense_ends_its_own_connection_alone(stack: Harness, ann: SignedIn, packet: str) -> None:
    async with _websocket(stack.gateway) as good, _websocket(stack.gateway) as bad:
        for socket in (good, bad):
            await socket.send("40" + json.dumps({"token": ann.access_token}))
            await _until(socket, "40{")
        await bad.send(packet)
        await good.send('421["getConversations"]')
        await _until(good, "431")


async def _until(socket: ClientConnection, beginning: str) -> None:
    async with asyncio.timeout(60):
        while not str(await socket.recv()).startswith(beginning):
            pass


async def test_a_client_that_vanishes_while_it_joins_leaves_nothing_behind(stack: Harness, ann: SignedIn) -> None:
    watcher = await stack.gateway.connect(ann)
    bob = await stack.auth.sign_in_new(ann.user.organization_id, "employee")
    for _ in range(5):
        socket = await _websocket(stack.gateway)
        await socket.recv()
        await socket.send("40" + json.dumps({"token": bob.access_token}))
        socket.transport.abort()

    async def status() -> str:
        seen = await watcher.ask("presence.get", userIds=[bob.user_id])
        return str(seen["presences"][0]["status"])

    await eventually(status, lambda found: found == "offline")
