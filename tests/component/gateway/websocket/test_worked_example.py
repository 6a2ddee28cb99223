"""The dialect that docs/dialects.md adds works as shown."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

import gateway.dialects
from tests.component.auth_service import RunningAuth, SignedIn
from tests.component.gateway.websocket.harness import Harness, running_gateway

DOCUMENT = Path(__file__).parents[4] / "docs" / "dialects.md"
MOST_LINES = 100


def worked_example() -> str:
    """The module in the document."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return str(code)


class Pager:
    """A client that keeps packets until the test asks for them, since events and replies overtake each other."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._kept: list[str] = []

    async def send(self, packet: str) -> None:
        """Sends a packet."""
        await self._socket.send(packet)

    async def packet(self, beginning: str) -> Any:
        """Returns the content of the next packet that begins so."""
        while not (found := [said for said in self._kept if said.startswith(beginning)]):
            said = str(await self._socket.recv())
            if said == "2":
                await self._socket.send("3")
            else:
                self._kept.append(said)
        self._kept.remove(found[0])
        return json.loads(found[0].removeprefix(beginning))


def test_it_is_short() -> None:
    assert len(worked_example().splitlines()) < MOST_LINES


async def test_it_works_as_it_stands(
    auth: RunningAuth, stack: Harness, ann: SignedIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pager").mkdir()
    (tmp_path / "pager" / "__init__.py").touch()
    (tmp_path / "pager" / "dialect.py").write_text(worked_example())
    monkeypatch.setattr(gateway.dialects, "__path__", [*gateway.dialects.__path__, str(tmp_path)])
    bob = await auth.sign_in_new(ann.user.organization_id, "employee", name="Bob")
    async with running_gateway(auth, stack.targets) as running:
        native = await running.connect(bob)
        direct = await native.ask("conversation.direct", userId=ann.user_id)
        conversation_id = direct["conversation"]["conversationId"]
        url = f"ws://127.0.0.1:{running.http_port}/socket.io/?EIO=4&transport=websocket"
        async with asyncio.timeout(120), connect(url, proxy=None) as socket:
            pager = Pager(socket)
            await pager.packet("0")
            await pager.send("40/pager," + json.dumps({"token": ann.access_token}))
            await pager.packet("40/pager,")
            line = {"to": conversation_id, "line": "call me"}
            await pager.send("42/pager,1" + json.dumps(["page", line]))
            assert (await pager.packet("43/pager,1"))[0]["ok"] is True
            paged = {"in": conversation_id, "from": "Ann", "line": "call me"}
            assert await pager.packet("42/pager,") == ["paged", paged]
            assert await native.message("call me")
            await pager.send("42/pager,2" + json.dumps(["page", {"to": conversation_id}]))
            (refused,) = await pager.packet("43/pager,2")
            assert refused["error"]["fields"] == {"line": "is missing"}
