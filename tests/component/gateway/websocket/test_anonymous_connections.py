"""Callers without a token flood the doors where the token comes later."""

from __future__ import annotations

from contextlib import AsyncExitStack

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.component.auth_service import SignedIn
from tests.component.gateway.websocket.harness import Gateway, Harness, running_gateway

BURST = 3
SLOW = {"connections_per_second": 1, "connections_burst": BURST}


async def flood_helpdesk(gateway: Gateway, sockets: AsyncExitStack) -> list[int]:
    """Opens sockets without a token; returns the statuses of refusals."""
    statuses = []
    for _ in range(10 * BURST):
        try:
            await sockets.enter_async_context(connect(f"ws://127.0.0.1:{gateway.port}/helpdesk", proxy=None))
        except InvalidStatus as refusal:
            statuses.append(refusal.response.status_code)
    return statuses


async def test_anonymous_helpdesk_upgrades_leave_room_for_users(stack: Harness, ann: SignedIn) -> None:
    async with running_gateway(stack.auth, stack.targets, **SLOW) as gateway, AsyncExitStack() as sockets:
        statuses = await flood_helpdesk(gateway, sockets)
        assert statuses
        assert set(statuses) == {503}
        assert await (await gateway.connect(ann)).ask("user.me")


async def test_anonymous_socketio_handshakes_leave_room_for_users(stack: Harness, ann: SignedIn) -> None:
    async with (
        running_gateway(stack.auth, stack.targets, **SLOW) as gateway,
        AsyncExitStack() as sockets,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", trust_env=False) as http,
    ):
        path = "/socket.io/?EIO=4&transport=polling"
        statuses = [(await http.get(path)).status_code for _ in range(10 * BURST)]
        assert any(status != 200 for status in statuses)
        assert len(await flood_helpdesk(gateway, sockets)) <= 10 * BURST - BURST  # each door has a limit of its own
        assert await (await gateway.connect(ann)).ask("user.me")
