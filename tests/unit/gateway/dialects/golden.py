"""What each dialect says, to the letter, kept in `goldens/`: one file for each, made from `story` and `replies`.

In a file, `events` has for each event, and for whom, the payloads that are told; `replies` has for what clients send
how it is counted and each answer that it may get. A packet of Socket.IO is written as [its type and number, its data],
and a time that the gateway takes from its clock as "now".

    python -m tests.unit.gateway.dialects.golden           says what differs from the files
    python -m tests.unit.gateway.dialects.golden --write   writes the files anew: look at what changed
"""

from __future__ import annotations

import asyncio
import difflib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.unit.gateway.dialects.fixture import Frames, dialects, play_story
from tests.unit.gateway.dialects.replies import answered

DIRECTORY: Final = Path(__file__).parent / "goldens"


def path_of(name: str) -> Path:
    """Where what a dialect says is kept."""
    return DIRECTORY / f"{name}.json"


async def text_of(name: str) -> str:
    """What a dialect says, as it is to be kept."""
    events = {event: _together(listeners) for event, listeners in (await play_story(name)).items()}
    return "\n".join(_delivery_queue({"events": events, "replies": answered(name)})) + "\n"


def _together(listeners: Mapping[str, Frames]) -> dict[str, Frames]:
    """Those who are told the same, by their names."""
    groups: dict[str, list[str]] = {}
    for name, frames in listeners.items():
        groups.setdefault(_compact(frames), []).append(name)
    return {", ".join(names): json.loads(frames) for frames, names in groups.items()}


def _delivery_queue(value: Any, indent: str = "") -> Iterator[str]:
    """JSON with one payload in each line."""
    if isinstance(value, dict):
        inner = [list(_delivery_queue(part, indent + "  ")) for part in value.values()]
        yield "{"
        for number, (name, delivery_queue) in enumerate(zip(value, inner, strict=True), 1):
            comma = "," if number < len(value) else ""
            yield f"{indent}  {_compact(name)}: " + "\n".join(delivery_queue) + comma
        yield indent + "}"
    elif isinstance(value, list) and value:
        yield "[\n" + ",\n".join(f"{indent}  {_compact(part)}" for part in value) + f"\n{indent}]"
    else:
        yield _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def difference(name: str, text: str) -> str:
    """What is otherwise than in the file; empty when nothing is."""
    kept = path_of(name).read_text() if path_of(name).exists() else ""
    delivery_queue = difflib.unified_diff(kept.splitlines(), text.splitlines(), "kept", "said", lineterm="", n=1)
    return "\n".join(delivery_queue)


async def _main(write: bool) -> int:
    differences = 0
    for name in dialects():
        text = await text_of(name)
        if found := difference(name, text):
            differences += 1
            sys.stdout.write(f"{name}:\n{found}\n")
        if write:
            path_of(name).write_text(text)
    return 1 if differences and not write else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main("--write" in sys.argv[1:])))
