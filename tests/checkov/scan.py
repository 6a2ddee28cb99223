"""Runs checkov on files, without network access."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[2]
_PROGRAM: Final = _ROOT / ".venv" / "checkov" / "bin" / "checkov"
CONFIGURATION: Final = Path(__file__).with_name("checkov.yaml")
_UNREACHABLE: Final = "http://127.0.0.1:9"
_TIMEOUT_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A check that failed for a resource in a file."""

    check: str
    name: str
    resource: str
    file: Path

    def __str__(self) -> str:
        return f"{self.resource}: {self.name} ({self.check})"


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a scan: the number of checks that passed, and all that failed."""

    passed: int
    failures: tuple[Failure, ...]

    def of(self, file: Path) -> list[Failure]:
        """Returns the failures in a file."""
        return [failure for failure in self.failures if failure.file == file.resolve()]


def scan(framework: str, files: Iterable[Path]) -> Report:
    """Runs a framework's checks on files.

    Args:
        framework: `kubernetes` or `dockerfile`.
        files: the files to scan, in one process.

    Raises:
        AssertionError: checkov is not installed, failed, or could not parse a file.
    """
    assert _PROGRAM.exists(), "checkov is not installed; run `make k8s-check` or `make docker-check`, which install it"
    process = subprocess.run(  # noqa: S603  # a fixed program
        [
            *(str(_PROGRAM), "--config-file", str(CONFIGURATION), "--framework", framework),
            *("--output", "json", "--quiet", "--compact"),
            *("--file", *(str(file) for file in files)),
        ],
        env={"PATH": os.defpath, "HTTPS_PROXY": _UNREACHABLE, "HTTP_PROXY": _UNREACHABLE},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    assert process.returncode in {0, 1}, process.stderr
    output: dict[str, Any] = json.loads(process.stdout)
    assert output["summary"]["parsing_errors"] == 0, output["results"]["parsing_errors"]
    failures = (
        Failure(item["check_id"], item["check_name"], item["resource"], Path(item["file_abs_path"]).resolve())
        for item in output["results"]["failed_checks"]
    )
    return Report(output["summary"]["passed"], tuple(failures))
