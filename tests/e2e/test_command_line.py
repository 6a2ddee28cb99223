"""The `parley` command against a running stack."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

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


async def test_users_are_imported_from_a_file(stack: LocalStack, tmp_path: Path) -> None:
    await parley(stack, "org", "add", "umbrella")
    file, report = tmp_path / "users.csv", tmp_path / "refused.csv"
    run = ("user", "import", str(file), "--org", "umbrella", "--report", str(report))
    many = "".join(f"m{index},Many {index},sales,\n" for index in range(450))  # three calls
    file.write_text(f"userId,name,role,teams\nann,Ann,lead,north; east\n{many}", encoding="utf-8-sig")
    assert await parley(stack, *run) == (0, "Users: 451 created, 0 updated, 0 unchanged, 0 refused.\n")
    assert report.read_text().splitlines() == ["line,userId,reason,message"]

    file.write_text("userId,name,disabled\nann,Anna,no\nbob,Bob,\nm1,Many 1,maybe\nm2,Many 2\nm3,Many 3,false\n")
    status, printed = await parley(stack, *run)
    assert status == 1
    assert printed.splitlines() == [
        "Users: 0 created, 1 updated, 1 unchanged, 3 refused.",
        "  line 3, bob: role is required (INVALID_FIELDS)",
        "  line 4, m1: disabled must be true or false (INVALID_ROW)",
        "  line 5, m2: must have as many values as the first line has columns (INVALID_ROW)",
    ]
    assert [line.split(",")[:3] for line in report.read_text().splitlines()[1:]] == [
        ["3", "bob", "INVALID_FIELDS"],
        ["4", "m1", "INVALID_ROW"],
        ["5", "m2", "INVALID_ROW"],
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "has no column userId"),
        (b"name,role\nAnn,sales\n", "has no column userId"),
        (b"userId\nann\n", "has no column beside userId"),
        (b"userId,password\nann,x\n", "has unknown columns: password"),
        (b"userId,name,name\nann,x,y\n", "has the column name 2 times"),
        (b"userId,name\nann,\xff\n", "is not in UTF-8"),
        (b'userId,name\nann,"x\n', "is not a CSV file"),
    ],
)
async def test_a_file_that_holds_no_users_is_refused(
    stack: LocalStack, tmp_path: Path, content: bytes, sentence: str
) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes(content)
    status, printed = await parley(stack, "user", "import", str(file))
    assert status == 1
    assert sentence in " ".join(printed.split())


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
