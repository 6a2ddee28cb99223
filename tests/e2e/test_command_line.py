"""The `parley` command against a running stack."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import pytest

from deploy.local.stack import LocalStack
from tests.e2e.waiting import until


async def parley(stack: LocalStack, *arguments: str) -> tuple[int, str]:
    """Runs the command; returns its exit status and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli",
        "--data",
        str(stack.directory.root),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(90):
        printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


async def test_the_demo_succeeds(stack: LocalStack) -> None:
    status, printed = await parley(stack, "demo")
    assert status == 0, printed
    for word in ("is typing", "✓✓", "edited", "loses her connection", "catches up", "Both see the same conversation"):
        assert word in printed


async def test_the_doctor_finds_what_is_down(stack: LocalStack) -> None:

    async def all_is_well() -> bool:  # a busy process may answer late
        status, printed = await parley(stack, "doctor")
        return (status, "All checks passed" in printed) == (0, True)

    await until(all_is_well)
    process = stack.processes["notify-2"]
    await process.stop()
    try:
        status, printed = await parley(stack, "doctor")
        assert status == 1
        assert "notify-2: is not running" in printed
    finally:
        await process.start()
        await process.wait_healthy()


async def test_organizations_and_users_are_added_with_clear_errors(stack: LocalStack) -> None:
    assert await parley(stack, "org", "add", "initech") == (0, "Added organization initech.\n")
    status, printed = await parley(stack, "org", "add", "initech")
    assert (status, "ORGANIZATION_EXISTS" in printed) == (1, True)
    add = ("user", "add", "--org", "initech", "--role")
    assert (await parley(stack, *add, "admin", "peter", "--email", "peter@initech.example", "--password", "stapler-1"))[
        0
    ] == 0
    for arguments, sentence in (
        ((*add, "boss", "bill"), "Unknown role 'boss'"),
        ((*add, "admin", "not an id"), "must be 1 to 64"),
        ((*add, "admin", "peter"), "USER_EXISTS"),
    ):
        status, printed = await parley(stack, *arguments)
        assert status == 1, printed
        assert sentence in printed


async def test_tail_prints_events_as_they_come(stack: LocalStack) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cli", "--data", str(stack.directory.root), "tail", "--user", "admin", "--json"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            first = json.loads(await process.stdout.readline())
            assert (first["event"], first["body"]["user"]["userId"]) == ("session.ready", "admin")
            process.send_signal(signal.SIGINT)
            await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()


async def test_without_a_stack_the_command_says_what_to_do(tmp_path_factory: pytest.TempPathFactory) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cli", "--data", str(tmp_path_factory.mktemp("empty")), "doctor"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, printed = await process.communicate()
    assert process.returncode == 1
    assert b"make run" in printed
