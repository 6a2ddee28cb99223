"""Tasks for requests and events that need calls of their own; messages and signals start none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from chassis.errors import AppError, unexpected_error
from chassis.process.logs import logger

_log = logger("calls")

T = TypeVar("T")


class BackgroundTasks:
    """Runs coroutines in a task group, and counts those in progress."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` in a task of its own. It must not raise: that would end the gateway; see `app_errors_only`."""
        task = self._group.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def cancel(self) -> None:
        """Cancels the tasks in progress."""
        for task in self._running:
            task.cancel()


async def app_errors_only(operation: str, work: Awaitable[T]) -> T:
    """Returns the result of `work`.

    Args:
        operation: the name of the request or event, for the log.
        work: what to await.

    Raises:
        AppError: an error of `work`; an unexpected one is logged, and raised as InternalError with its incident id.
    """
    try:
        return await work
    except AppError:
        raise
    except Exception as error:
        raise unexpected_error(_log, "request_failed", error, op=operation) from error


@asynccontextmanager
async def running_background_tasks() -> AsyncIterator[BackgroundTasks]:
    """Runs tasks while the context is open; on leaving, cancels those still in progress."""
    async with asyncio.TaskGroup() as group:
        tasks = BackgroundTasks(group)
        try:
            yield tasks
        finally:
            tasks.cancel()
