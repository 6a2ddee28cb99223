"""A Dockerfile as its stages and their instructions, for tests that look at them and for the one that carries them out.

It reads what hadolint has passed, so what is no Dockerfile at all is not its business.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_FLAG = re.compile(r"--([a-z-]+)=(\S+)\s+")
_CONTINUED = re.compile(r"\s*\\\n\s*")


@dataclass(frozen=True)
class Instruction:
    """One instruction, with its flags apart: RUN, COPY, ..."""

    name: str
    flags: dict[str, str]
    value: str

    @property
    def arguments(self) -> list[str] | None:
        """The arguments of the exec form; None for the shell form."""
        if not self.value.startswith("["):
            return None
        arguments: list[str] = json.loads(self.value)
        return arguments


@dataclass(frozen=True)
class Stage:
    """What begins with a FROM."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def of(self, name: str) -> list[Instruction]:
        """The instructions of a name."""
        return [instruction for instruction in self.instructions if instruction.name == name]

    def last(self, name: str) -> Instruction | None:
        """The one that holds, where a later one replaces an earlier one."""
        return next(reversed(self.of(name)), None)

    @property
    def environment(self) -> dict[str, str]:
        """What its ENV instructions say."""
        words = [word for instruction in self.of("ENV") for word in shlex.split(instruction.value)]
        return dict(word.split("=", 1) for word in words)

    @property
    def health_command(self) -> list[str] | None:
        """What HEALTHCHECK runs; None where there is none, or in a shell, which a container need not have."""
        check = self.last("HEALTHCHECK")
        if check is None or not check.value.startswith("CMD ["):
            return None
        return Instruction("CMD", {}, check.value.removeprefix("CMD ")).arguments


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile, the last of which is the image."""
    found: list[tuple[str, list[Instruction]]] = []
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            found.append((instruction.value, []))
        else:
            found[-1][1].append(instruction)
    return [_stage(head, instructions) for head, instructions in found]


def _stage(head: str, instructions: list[Instruction]) -> Stage:
    base, *named = head.split()
    return Stage(base, named[1] if named else "", tuple(instructions))


def _instructions(text: str) -> Iterator[Instruction]:
    lines = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for line in _CONTINUED.sub(" ", lines).splitlines():
        name, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        flags = {}
        while flag := _FLAG.match(rest):
            flags[flag[1]] = flag[2]
            rest = rest[flag.end() :]
        yield Instruction(name.upper(), flags, rest.strip())
