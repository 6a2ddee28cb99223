"""Progress reports of the stack; the caller displays them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """The state of a process of the stack."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Progress:
    """A state change of a process; `detail` is text for people and may be empty."""

    process: str
    phase: Phase
    detail: str = ""


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Discards the report."""
