"""`python -m tests.k8s`: renders every overlay and says what is wrong with it; ends with 1 if anything is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from tests.k8s.policies import policies_of
from tests.k8s.rendering import NAMES, MissingToolError, overlay
from tests.k8s.validation import problems


def violations(name: str) -> Iterator[str]:
    """All that is wrong with an overlay."""
    for manifest in overlay(name):
        yield from problems(manifest)
    for policy in policies_of(name):
        for violation in policy(overlay(name)):
            yield f"{violation} ({policy.__name__})"


def main() -> int:
    """Checks all overlays; returns the exit status."""
    failed = False
    for name in NAMES:
        try:
            found = list(violations(name))
        except MissingToolError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"{name} can't be rendered: {error.stderr}\n")
            failed = True
            continue
        for violation in found:
            sys.stderr.write(f"{name}: {violation}\n")
        verdict = f"{len(found)} violations" if found else "valid, and all of it holds"
        sys.stdout.write(
            f"{name}: {len(overlay(name).items)} manifests, {len(policies_of(name))} properties: {verdict}\n"
        )
        failed = failed or bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
