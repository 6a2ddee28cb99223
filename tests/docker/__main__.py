"""`python -m tests.docker`: lints the Dockerfile and compose.yaml and checks their policies; exits with 1 on failure.

`make docker-check` runs this, the tests of this folder, which include checkov's policies (tests/checkov), and the
rehearsal.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.docker.plan import FOLDER, plan
from tests.docker.policies import POLICIES

LINTERS: Final = {
    "Dockerfile": ("hadolint", "--failure-threshold", "info"),
    "compose.yaml": ("check-jsonschema", "--builtin-schema", "vendor.compose-spec"),
}
_VENV_BIN: Final = str(Path(sys.executable).parent)


def lint(name: str) -> bool:
    """Lints a file, printing the linter's output; returns whether it passes. A missing linter counts as a failure."""
    program, *arguments = LINTERS[name]
    path = shutil.which(program, path=_VENV_BIN) or shutil.which(program)
    if path is None:
        sys.stderr.write(f"{name}: not linted: no {program}. Run `make setup`, or put it on the PATH\n")
        return False
    return subprocess.run([path, *arguments, str(FOLDER / name)], check=False).returncode == 0  # noqa: S603


def main() -> int:
    """Checks both files and prints the time; returns the exit status."""
    started_at = time.monotonic()
    linted = [lint(name) for name in LINTERS]
    violations = [f"{violation} ({policy.__name__})" for policy in POLICIES for violation in policy(plan())]
    for violation in violations:
        sys.stderr.write(f"{violation}\n")
    sys.stdout.write(
        f"{sum(linted)} of {len(linted)} files linted; {len(POLICIES)} policies, {len(violations)} violations "
        f"({time.monotonic() - started_at:.1f} s)\n"
    )
    return int(bool(violations) or not all(linted))


if __name__ == "__main__":
    sys.exit(main())
