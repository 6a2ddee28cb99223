"""What the stack says while it works; showing it is left to whoever started it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a process of the stack has got to."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of one process; `detail` is for people and may be empty."""

    process: str
    phase: Phase
    detail: str = ""


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Show nothing."""
