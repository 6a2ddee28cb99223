"""Parses a Dockerfile into stages and instructions, for the policies and the rehearsal.

It expects a valid Dockerfile: hadolint checks that.
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
    """An instruction such as RUN or COPY, with its flags."""

    name: str
    flags: dict[str, str]
    value: str

    @property
    def arguments(self) -> list[str] | None:
        """The exec form's arguments; None for the shell form."""
        if not self.value.startswith("["):
            return None
        arguments: list[str] = json.loads(self.value)
        return arguments


@dataclass(frozen=True)
class Stage:
    """A build stage."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def of(self, name: str) -> list[Instruction]:
        """Returns the instructions of a name."""
        return [instruction for instruction in self.instructions if instruction.name == name]

    def last(self, name: str) -> Instruction | None:
        """Returns the last instruction of a name, which overrides earlier ones, or None."""
        return next(reversed(self.of(name)), None)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its ENV instructions."""
        words = [word for instruction in self.of("ENV") for word in shlex.split(instruction.value)]
        return dict(word.split("=", 1) for word in words)

    @property
    def health_command(self) -> list[str] | None:
        """HEALTHCHECK's command; None if missing or in shell form, since an image need not have a shell."""
        check = self.last("HEALTHCHECK")
        if check is None or not check.value.startswith("CMD ["):
            return None
        return Instruction("CMD", {}, check.value.removeprefix("CMD ")).arguments


def stages(text: str) -> list[Stage]:
    """Returns the stages of a Dockerfile; the last is the image."""
    parsed: list[tuple[str, list[Instruction]]] = []
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            parsed.append((instruction.value, []))
        else:
            parsed[-1][1].append(instruction)
    return [_stage(head, instructions) for head, instructions in parsed]


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
