"""`python -m deploy.tls`: writes what components/tls of the Kubernetes manifests gives to Envoy, or checks it.

write   makes them from gateway/envoy/envoy.yaml
check   whether they are up to date; ends with 1 when one is not
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from deploy.local.envoy import CONFIG
from deploy.tls.envoy import secret_files, with_mutual_tls

_ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = _ROOT / "deploy" / "k8s" / "components" / "tls" / "envoy"


def made_files() -> dict[Path, str]:
    """What is made, by where it belongs."""
    files = {CONFIG.name: with_mutual_tls(CONFIG.read_text()), **secret_files()}
    return {FOLDER / name: text for name, text in files.items()}


def out_of_date() -> list[Path]:
    """The files that are not as they would be made now."""
    return [path for path, text in made_files().items() if not path.exists() or path.read_text() != text]


def main(arguments: list[str] | None = None) -> int:
    """Does what was asked for; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.tls", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=("write", "check"))
    chosen = parser.parse_args(arguments)
    stale, made = out_of_date(), made_files()
    if chosen.what == "write":
        FOLDER.mkdir(exist_ok=True)
        for path in stale:
            path.write_text(made[path])
    sys.stdout.writelines(f"{path.relative_to(_ROOT)}\n" for path in stale)
    return 1 if stale and chosen.what == "check" else 0


if __name__ == "__main__":
    raise SystemExit(main())
