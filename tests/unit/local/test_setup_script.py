"""`make setup` names what a machine lacks before it changes anything."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "deploy" / "local" / "setup.sh"
TOO_OLD = 'case "$2" in *version_info*) exit 1;; *platform*) echo 3.9.2;; esac'
WITHOUT_VENV = 'case "$2" in *ensurepip*) exit 1;; esac'


def set_up(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Runs the script in an empty folder."""
    shell = shutil.which("sh")
    assert shell is not None
    return subprocess.run(  # noqa: S603  # our own script
        [shell, str(SCRIPT)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (TOO_OLD, "Parley needs Python 3.11 or newer, and {} is 3.9.2"),
        (WITHOUT_VENV, "{} has no venv module. On Debian and Ubuntu: apt-get install python3-venv"),
    ],
)
def test_a_python_that_will_not_do_is_named(tmp_path: Path, script: str, error: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    result = set_up(tmp_path, str(python))
    assert result.returncode == 1
    assert result.stderr.startswith(error.format(python))
    assert result.stdout == ""


def test_a_missing_python_is_named(tmp_path: Path) -> None:
    result = set_up(tmp_path, "no-such-python")
    assert result.returncode == 1
    assert "No no-such-python on the PATH" in result.stderr
    assert list(tmp_path.iterdir()) == []
