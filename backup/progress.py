"""Progress reports of backups and restores."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Phase(StrEnum):
    """A phase of a collection's backup or restore."""

    COPY = "copy"
    CHECK = "check"
    LOAD = "load"
    COMPARE = "compare"
    INDEX = "index"


class Progress(NamedTuple):
    """Documents (in CHECK, bytes) done in one phase of one collection; in COPY `total` is an estimate."""

    phase: Phase
    name: str
    done: int
    total: int


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Discards the report."""
