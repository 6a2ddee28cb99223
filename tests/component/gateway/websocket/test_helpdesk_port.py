"""The helpdesk's own port, for front-ends without a path."""

from __future__ import annotations

import json

import pytest
from websockets.asyncio.client import connect

from gateway.listeners import UnknownDialectError
from tests.component.auth_service import RunningAuth, SignedIn
from tests.component.gateway.websocket.harness import Harness, running_gateway


@pytest.mark.parametrize("path", ["", "/", "/helpdesk"])
async def test_the_helpdesk_is_at_any_path_of_its_own_port(
    auth: RunningAuth, stack: Harness, ann: SignedIn, address: str, path: str
) -> None:
    async with (
        running_gateway(auth, stack.targets, helpdesk_listen=address),
        connect(f"ws://{address}{path}", proxy=None) as dispatcher,
    ):
        await dispatcher.send(json.dumps({"type": "user_join", "userId": ann.user_id, "token": ann.access_token}))
        assert json.loads(await dispatcher.recv())["type"] == "joined"


async def test_a_default_dialect_that_there_is_not_is_said_at_the_start(auth: RunningAuth, stack: Harness) -> None:
    with pytest.raises(ExceptionGroup) as refused:
        async with running_gateway(auth, stack.targets, default_dialect="nonsense"):
            pass
    assert refused.group_contains(UnknownDialectError, match="projects, telecom")
