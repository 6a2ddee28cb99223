"""The examples in docs/protocol.md work as shown.

A line with → is a request of Ann's, one with ← its reply, one with ⇐ an event that Bob gets. `<name>` stands for a
value that the first reply with it gives; `...` for further fields.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from chassis.contract.methods import all_services, methods_of
from tests.component.auth_service import SignedIn
from tests.component.gateway.websocket.harness import TIMEOUT_SECONDS, Client, Harness

PAGE: Final = (Path(__file__).parents[4] / "docs" / "protocol.md").read_text()
SECTION: Final = PAGE[PAGE.index("## Examples") : PAGE.index("## Close codes")]
EXAMPLES: Final = re.findall(r"^### (.*?)\n.*?```text\n(.*?)```", SECTION, re.MULTILINE | re.DOTALL)
SERVICES: Final = tuple(f"parley.chat.v1.{name}." for name in ("MessageService", "DraftService", "ScheduleService"))
MORE: Final = "..."


def lines_of(example: str) -> list[tuple[str, str]]:
    """Returns each line's mark and what follows, with continued lines joined."""
    joined = re.sub(r"\n {4}", " ", example.strip())
    return [(line[0], line[2:]) for line in joined.splitlines()]


def value_of(text: str) -> Any:
    return json.loads(text.replace(", ...}", ', "...": 0}'))


class Values:
    """The values of the placeholders."""

    def __init__(self, **known: Any) -> None:
        self._known: dict[str, Any] = dict(known)

    def fill(self, value: Any) -> Any:
        """Returns a value with its placeholders replaced, also as keys."""
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        name = re.fullmatch(r"<(.*)>", value) if isinstance(value, str) else None
        return self._known[name[1]] if name else value

    def fits(self, shown: Any, actual: Any) -> bool:
        """Reports whether what came is as shown."""
        try:
            Values(**self._known).check(shown, actual)
        except AssertionError:
            return False
        return True

    def check(self, shown: Any, actual: Any) -> None:
        """Compares what is shown with what came, and learns the placeholders that are new."""
        if isinstance(shown, dict):
            names = set(shown) - {MORE}
            assert names <= set(actual) if MORE in shown else names == set(actual), (shown, actual)
            for name in names:
                self.check(shown[name], actual[name])
        elif isinstance(shown, list):
            assert len(shown) == len(actual), (shown, actual)
            for one, other in zip(shown, actual, strict=True):
                self.check(one, other)
        elif isinstance(shown, str) and (name := re.fullmatch(r"<(.*)>", shown)):
            assert self._known.setdefault(name[1], actual) == actual, (shown, actual)
        else:
            assert shown == actual


async def has_come(client: Client, name: str, shown: Any, values: Values) -> None:
    """Waits for an event that is as shown."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not any(values.fits(shown, body) for body in client.bodies(name)):
            await asyncio.sleep(0.01)


def test_every_op_of_messages_has_an_example() -> None:
    shown = {text.split(" ", 1)[0] for _, example in EXAMPLES for mark, text in lines_of(example) if mark == "→"}
    methods = (method for method in methods_of(all_services()) if method.descriptor.full_name.startswith(SERVICES))
    assert {method.op.name for method in methods if method.op.name} <= shown


@pytest.mark.parametrize("example", [example for _, example in EXAMPLES], ids=[title for title, _ in EXAMPLES])
async def test_an_example_works_as_shown(stack: Harness, ann: SignedIn, bob: SignedIn, example: str) -> None:
    anns, bobs = await stack.gateway.connect(ann), await stack.gateway.connect(bob)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    values = Values(ann=ann.user_id, bob=bob.user_id, tomorrow=tomorrow)
    reply: Any = None
    for mark, text in lines_of(example):
        if mark == "→":
            op, _, body = text.partition(" ")
            reply = await anns.ask(op, **values.fill(value_of(body)))
        elif mark == "←":
            values.check(value_of(text), reply)
        else:
            name, _, body = text.partition(" ")
            await has_come(bobs, name, value_of(body), values)
