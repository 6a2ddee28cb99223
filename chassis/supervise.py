"""Long-running tasks, none of which may die in silence: the end of one is the end of all, and of the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any


class TaskEndedError(Exception):
    """A task that was to run for ever came to an end; its own error, if any, is the cause."""


@asynccontextmanager
async def supervised(tasks: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]) -> AsyncIterator[None]:
    """Runs the tasks while the context is open, and cancels them on leaving.

    A task that ends before cancels the body of the context, which then raises TaskEndedError in an ExceptionGroup.
    """
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(_never_ending(name, task), name=name) for name, task in tasks.items()]
        try:
            yield
        finally:
            for task in running:
                task.cancel()


async def _never_ending(name: str, task: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await task()
    except Exception as error:
        raise TaskEndedError(f"the task {name} failed") from error
    raise TaskEndedError(f"the task {name} ended")
