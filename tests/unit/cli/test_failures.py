"""Failures of the parley command: one line, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LONG = "x" * 90


def parley(*arguments: str) -> tuple[int, list[str]]:
    """Runs the command; returns its status and the lines of stderr."""
    process = subprocess.run(  # noqa: S603  # ours
        [sys.executable, "-m", "cli", *arguments], capture_output=True, text=True, check=False
    )
    return process.returncode, process.stderr.splitlines()


@pytest.mark.parametrize("command", [("up",), ("doctor",), ("backup", "--to", "/nowhere")], ids=lambda c: c[0])
def test_a_data_directory_that_is_a_file_is_reported_in_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    file = tmp_path / "file"
    file.touch()

    status, (line,) = parley("--data", str(file), *command)

    assert status == 1
    assert line.startswith("parley: ")
    assert str(file) in line


def test_a_long_path_is_not_cut_in_two(tmp_path: Path) -> None:
    status, (line,) = parley("restore", "--from", str(tmp_path / LONG))

    assert status == 1
    assert line.endswith(f"{LONG}.")


def test_brackets_in_a_name_are_shown(tmp_path: Path) -> None:
    _, (line,) = parley("restore", "--from", str(tmp_path / "[red]backup"))

    assert line.endswith("[red]backup.")
