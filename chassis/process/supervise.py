"""Long-running tasks, none of which may die in silence: the end of one is the end of all, and of the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

_CANCEL_AGAIN_SECONDS: Final = 0.1


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
            await end_tasks(running)


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels tasks and waits for their end; more than once where need be, since a cancellation can get lost.

    Before Python 3.12, asyncio.wait_for gives a result that is there at the same moment precedence over it; redis-py
    writes to its sockets that way. See https://github.com/python/cpython/issues/86296.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)


async def _never_ending(name: str, task: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await task()
    except Exception as error:
        raise TaskEndedError(f"the task {name} failed") from error
    raise TaskEndedError(f"the task {name} ended")
