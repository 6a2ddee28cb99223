"""The first secrets for Compose: those of a cluster, readable by their owner alone, and never made over."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.docker import keys
from tests.docker.plan import PROCESSES, ROOT, STORED, assignments


def _written(folder: Path) -> dict[str, dict[str, str]]:
    return {file.stem: dict(assignments(file.read_text())) for file in folder.iterdir()}


def test_each_process_gets_a_file_of_its_own(tmp_path: Path) -> None:
    keys.write(tmp_path / "keys", keys.STORES)

    written = _written(tmp_path / "keys")
    assert written.keys() == PROCESSES.keys() | {"operator", "crm"}
    known = json.loads(written["auth"]["PARLEY_SERVICE_CREDENTIALS"])
    assert {written[name]["PARLEY_SERVICE_SECRET"] for name in PROCESSES.keys() - {"auth"}} == {
        known[name]["secret"] for name in PROCESSES.keys() - {"auth"}
    }
    assert written["operator"] == {
        "PARLEY_OPERATOR_SECRET": known["operator"]["secret"],
        "PARLEY_MONGODB_URI": keys.STORES["PARLEY_MONGODB_URI"],
    }
    assert {name for name, told in written.items() if keys.STORES.items() <= told.items()} == STORED


def test_only_their_owner_reads_them(tmp_path: Path) -> None:
    keys.write(tmp_path / "keys", keys.STORES)

    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "keys").iterdir()} == {0o600}


def test_what_is_made_survives_the_quotes() -> None:
    made = keys.files(keys.STORES)

    assert not any("'" in value or "\n" in value for told in made.values() for value in told.values())


def test_they_are_not_made_over(tmp_path: Path) -> None:
    keys.write(tmp_path / "keys", keys.STORES)
    before = _written(tmp_path / "keys")

    with pytest.raises(FileExistsError):
        keys.write(tmp_path / "keys", keys.STORES)

    assert _written(tmp_path / "keys") == before


def test_the_program_says_what_it_made_and_shows_no_secret(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.docker.keys", str(tmp_path / "keys")]

    first, second = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # our own program
        for _ in range(2)
    )

    assert (first.returncode, second.returncode) == (0, 2)
    assert "nothing written" in second.stderr
    secrets = {value for told in _written(tmp_path / "keys").values() for value in told.values()}
    assert not any(secret in first.stdout + second.stderr for secret in secrets)
