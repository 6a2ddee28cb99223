"""What the parley command says when it can't do its work: a sentence, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LONG = "x" * 90


def parley(*arguments: str) -> tuple[int, list[str]]:
    """Its status, and the lines of what it complained of."""
    done = subprocess.run(  # noqa: S603  # ours
        [sys.executable, "-m", "cli", *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("command", [("up",), ("doctor",), ("backup", "--to", "/nowhere")], ids=lambda c: c[0])
def test_a_data_directory_that_is_a_file_is_said_so_in_a_line(tmp_path: Path, command: tuple[str, ...]) -> None:
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
