"""The generated secrets for Compose: complete, private, and never overwritten."""

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
    assert {name for name, content in written.items() if keys.STORES.items() <= content.items()} == STORED


def test_only_their_owner_reads_them(tmp_path: Path) -> None:
    keys.write(tmp_path / "keys", keys.STORES)

    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "keys").iterdir()} == {0o600}


def test_no_value_needs_escaping_in_single_quotes() -> None:
    files = keys.files(keys.STORES)

    assert not any("'" in value or "\n" in value for content in files.values() for value in content.values())


def test_existing_keys_are_not_overwritten(tmp_path: Path) -> None:
    keys.write(tmp_path / "keys", keys.STORES)
    before = _written(tmp_path / "keys")

    with pytest.raises(FileExistsError):
        keys.write(tmp_path / "keys", keys.STORES)

    assert _written(tmp_path / "keys") == before


def test_the_program_reports_its_result_without_secrets(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.docker.keys", str(tmp_path / "keys")]

    first, second = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # the project's own program
        for _ in range(2)
    )

    assert (first.returncode, second.returncode) == (0, 2)
    assert "nothing written" in second.stderr
    secrets = {value for content in _written(tmp_path / "keys").values() for value in content.values()}
    assert not any(secret in first.stdout + second.stderr for secret in secrets)
