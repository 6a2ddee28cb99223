"""The exact output of each dialect, in `goldens/`: one file for each, made from `story` and `replies`.

In a file, `events` has the payloads of each event for each user; `replies` has for each frame the operation that it is
counted as and every reply that it may get. A packet of Socket.IO is written as [its type and number, its data], and a
time that the gateway reads from its clock as "now".

    python -m tests.unit.gateway.dialects.golden           prints what differs from the files
    python -m tests.unit.gateway.dialects.golden --write   writes the files: review the changes
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
    """Returns the path of a dialect's file."""
    return DIRECTORY / f"{name}.json"


async def text_of(name: str) -> str:
    """Returns the text of a dialect's file."""
    events = {event: _together(connections) for event, connections in (await play_story(name)).items()}
    return "\n".join(_one_payload_a_line({"events": events, "replies": answered(name)})) + "\n"


def _together(connections: Mapping[str, Frames]) -> dict[str, Frames]:
    """Groups the names of users with the same payloads."""
    groups: dict[str, list[str]] = {}
    for name, frames in connections.items():
        groups.setdefault(_compact(frames), []).append(name)
    return {", ".join(names): json.loads(frames) for frames, names in groups.items()}


def _one_payload_a_line(value: Any, indent: str = "") -> Iterator[str]:
    """Returns JSON with one payload in each line."""
    if isinstance(value, dict):
        inner = [list(_one_payload_a_line(part, indent + "  ")) for part in value.values()]
        yield "{"
        for number, (name, lines) in enumerate(zip(value, inner, strict=True), 1):
            comma = "," if number < len(value) else ""
            yield f"{indent}  {_compact(name)}: " + "\n".join(lines) + comma
        yield indent + "}"
    elif isinstance(value, list) and value:
        yield "[\n" + ",\n".join(f"{indent}  {_compact(part)}" for part in value) + f"\n{indent}]"
    else:
        yield _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def difference(name: str, text: str) -> str:
    """Returns the difference from the file; empty if there is none."""
    kept = path_of(name).read_text() if path_of(name).exists() else ""
    lines = difflib.unified_diff(kept.splitlines(), text.splitlines(), "kept", "said", lineterm="", n=1)
    return "\n".join(lines)


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
