"""The output of each dialect equals the files in `goldens/`; `golden.py` writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.gateway.dialects.decisions import CHAT_EVENTS, NOTIFY_EVENTS
from tests.unit.gateway.dialects.fixture import dialects
from tests.unit.gateway.dialects.golden import DIRECTORY, difference, path_of, text_of

NAMES = sorted(dialects())


def kept(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path_of(name).read_text())
    return loaded


@pytest.mark.parametrize("name", NAMES)
async def test_a_dialect_says_what_it_said(name: str) -> None:
    found = difference(name, await text_of(name))
    assert not found, f"if this is meant: python -m tests.unit.gateway.dialects.golden --write\n{found}"


@pytest.mark.parametrize("name", NAMES)
def test_every_event_is_in_the_file(name: str) -> None:
    recorded = {label.partition(",")[0] for label in kept(name)["events"]}
    assert recorded == {*CHAT_EVENTS, *NOTIFY_EVENTS, "presence"}


def test_no_file_is_of_a_dialect_that_there_is_not() -> None:
    assert sorted(path.stem for path in DIRECTORY.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_sender_hears_of_a_message_by_an_event_or_by_the_answer(name: str) -> None:
    """By both in dialects with acknowledgements, and by the reply alone in Parley's own."""
    everything = kept(name)
    to_sender = next(
        frames for names, frames in everything["events"]["message_created"].items() if "ann" in names.split(", ")
    )
    assert bool(to_sender) != (name == "parley.v1.json")
    assert any(answers.get("sent") for answers in everything["replies"].values())
