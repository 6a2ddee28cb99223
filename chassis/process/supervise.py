"""Supervises long-running tasks: if one ends, all end, and the process with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

_CANCEL_AGAIN_SECONDS: Final = 0.1


class TaskEndedError(Exception):
    """A supervised task ended; its own error, if any, is the cause."""


@asynccontextmanager
async def supervised(tasks: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]) -> AsyncIterator[None]:
    """Runs the tasks while the context is open, and cancels them on leaving.

    If a task ends before that, the context's body is cancelled, and raises TaskEndedError in an ExceptionGroup.
    """
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(_never_ending(name, task), name=name) for name, task in tasks.items()]
        try:
            yield
        finally:
            await end_tasks(running)


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels tasks and waits for their end; cancels again if needed, as a cancellation can get lost.

    Before Python 3.12, asyncio.wait_for drops a cancellation that arrives together with the result. redis-py uses it to
    write to its sockets. See https://github.com/python/cpython/issues/86296.
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
