"""`python -m tests.docker`: lints the Dockerfile and compose.yaml, and says which of their properties don't hold."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.docker.plan import FOLDER, plan
from tests.docker.policies import POLICIES

LINTERS: Final = {
    "Dockerfile": ("hadolint", "--failure-threshold", "info"),
    "compose.yaml": ("check-jsonschema", "--builtin-schema", "vendor.compose-spec"),
}
_BESIDE_US: Final = str(Path(sys.executable).parent)


def lint(name: str) -> bool:
    """Whether a linter passes a file; what it says is printed. A linter that is missing passes nothing."""
    program, *arguments = LINTERS[name]
    found = shutil.which(program, path=_BESIDE_US) or shutil.which(program)
    if found is None:
        sys.stderr.write(f"{name}: not linted, since there is no {program}: run `make setup`, or put one on the PATH\n")
        return False
    return subprocess.run([found, *arguments, str(FOLDER / name)], check=False).returncode == 0  # noqa: S603


def main() -> int:
    """Checks both files; returns the exit status."""
    linted = [lint(name) for name in LINTERS]
    violations = [f"{violation} ({policy.__name__})" for policy in POLICIES for violation in policy(plan())]
    for violation in violations:
        sys.stderr.write(f"{violation}\n")
    sys.stdout.write(
        f"{sum(linted)} of {len(linted)} files linted; {len(POLICIES)} properties, {len(violations)} violations\n"
    )
    return int(bool(violations) or not all(linted))


if __name__ == "__main__":
    sys.exit(main())
