"""Background work fails only with errors that can be shown to a client, and ends with the gateway."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chassis.errors import InternalError, NotFoundError
from gateway.sessions.background_tasks import app_errors_only, running_background_tasks


async def give(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


async def test_a_result_is_the_answer() -> None:
    assert await app_errors_only("test", give({"a": 1})) == {"a": 1}


async def test_an_expected_failure_is_the_answer() -> None:
    error = NotFoundError("USER_NOT_FOUND", "no such user")
    with pytest.raises(NotFoundError) as raised:
        await app_errors_only("test", give(error))
    assert raised.value is error


async def test_a_fault_of_ours_is_answered_with_an_incident_and_without_its_text() -> None:
    with pytest.raises(InternalError) as raised:
        await app_errors_only("test", give(ZeroDivisionError("secret detail")))
    assert "incident" in raised.value.message
    assert "secret" not in raised.value.message


async def test_what_is_under_way_when_the_gateway_stops_is_given_up() -> None:
    done = False

    async def wait() -> None:
        nonlocal done
        await asyncio.Event().wait()
        done = True

    async with running_background_tasks() as tasks:
        tasks.start(wait())
        await asyncio.sleep(0)
        assert len(tasks) == 1
    assert not done
    assert len(tasks) == 0
