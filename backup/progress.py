"""How far it is: told to whoever shows it."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Phase(StrEnum):
    """What is being done with a collection."""

    COPY = "copy"
    CHECK = "check"
    LOAD = "load"
    COMPARE = "compare"
    INDEX = "index"


class Progress(NamedTuple):
    """One step of one phase of one collection; `total` is an estimate while copying."""

    phase: Phase
    name: str
    done: int
    total: int


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Shows nothing."""
