"""Supervised tasks end when cancelled, and their end ends the process."""

from __future__ import annotations

import asyncio

import pytest

from chassis.process.supervise import TaskEndedError, end_tasks, supervised


async def test_a_task_that_loses_a_cancellation_still_ends() -> None:
    lost = asyncio.Event()

    async def loses_one() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(loses_one())
    await asyncio.sleep(0)
    await end_tasks([task])
    assert lost.is_set() and task.cancelled()


async def test_a_task_that_ends_ends_the_others() -> None:
    async def ends() -> None:
        await asyncio.sleep(0)

    with pytest.raises(ExceptionGroup) as caught:
        async with supervised({"short": ends}):
            await asyncio.Event().wait()
    assert caught.group_contains(TaskEndedError, match="the task short ended")
