"""Progress bars of backups and restores: a bar a step on a terminal, otherwise a line when a step is done."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from backup.progress import Phase, Progress

_VERBS: Final = {
    Phase.COPY: "copy",
    Phase.CHECK: "verify file of",
    Phase.LOAD: "load",
    Phase.COMPARE: "compare",
    Phase.INDEX: "index",
}


class ProgressBars:
    """Shows one bar for each phase and collection; call it with each step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Bar(
            TextColumn("  {task.description:<32}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[tuple[Phase, str], TaskID] = {}
        self._done: set[tuple[Phase, str]] = set()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, step: Progress) -> None:
        """Shows a step of the backup or restore."""
        key = step.phase, step.name
        description = f"{_VERBS[step.phase]} {step.name}"
        if self._bars.disable:
            if step.done == step.total and key not in self._done:
                self._done.add(key)
                self._console.print(f"  {description}: done")
            return
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(description, total=step.total)
        self._bars.update(self._tasks[key], completed=step.done, total=step.total)
