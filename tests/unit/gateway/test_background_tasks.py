"""Whatever becomes of an errand, it is answered."""

from __future__ import annotations

import asyncio
from typing import Any

from chassis.errors import InternalError, NotFoundError
from gateway.sessions.user_client import running_background_tasks


async def give(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


async def outcome_of(value: Any) -> Any:
    outcomes: asyncio.Queue[Any] = asyncio.Queue()
    async with running_background_tasks() as tasks:
        tasks.start("test", give(value), outcomes.put_nowait)
        return await asyncio.wait_for(outcomes.get(), 20)


async def test_a_result_is_the_answer() -> None:
    assert await outcome_of({"a": 1}) == {"a": 1}


async def test_an_expected_failure_is_the_answer() -> None:
    error = NotFoundError("USER_NOT_FOUND", "no such user")
    assert await outcome_of(error) is error


async def test_a_fault_of_ours_is_answered_with_an_incident_and_without_its_text() -> None:
    outcome = await outcome_of(ZeroDivisionError("secret detail"))
    assert isinstance(outcome, InternalError)
    assert "incident" in outcome.message
    assert "secret" not in outcome.message


async def test_what_is_under_way_when_the_gateway_stops_is_given_up() -> None:
    outcomes: list[Any] = []
    async with running_background_tasks() as tasks:
        tasks.start("test", asyncio.Event().wait(), outcomes.append)
        await asyncio.sleep(0)
        assert len(tasks) == 1
    assert outcomes == []
    assert len(tasks) == 0
