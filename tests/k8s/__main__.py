"""`python -m tests.k8s`: renders every overlay, validates it and checks its policies; exits with 1 on violations.

`make k8s-check` runs this, and the tests of this folder, which include checkov's policies (tests/checkov).
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from tests.k8s.policies import policies_of
from tests.k8s.rendering import NAMES, MissingToolError, overlay
from tests.k8s.validation import problems


def violations(name: str) -> Iterator[str]:
    """Yields the schema errors and policy violations of an overlay."""
    for manifest in overlay(name):
        yield from problems(manifest)
    for policy in policies_of(name):
        for violation in policy(overlay(name)):
            yield f"{violation} ({policy.__name__})"


def main() -> int:
    """Checks all overlays and prints the time of each; returns the exit status."""
    failed = False
    for name in NAMES:
        started_at = time.monotonic()
        try:
            problems_found = list(violations(name))
        except MissingToolError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"{name}: cannot render: {error.stderr}\n")
            failed = True
            continue
        for violation in problems_found:
            sys.stderr.write(f"{name}: {violation}\n")
        sys.stdout.write(
            f"{name}: {len(overlay(name).items)} manifests, {len(policies_of(name))} policies, "
            f"{len(problems_found)} violations ({time.monotonic() - started_at:.1f} s)\n"
        )
        failed = failed or bool(problems_found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
