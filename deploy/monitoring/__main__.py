"""`python -m deploy.monitoring`: writes what is made from the programs, checks it, or configures what watches.

write             the dashboards' JSON, docs/settings.md, docs/metrics.md, and Envoy's file for traces in a cluster
check             whether they are up to date; ends with 1 when one is not
scrape [FOLDER]   prints a configuration of Prometheus for the stack that runs in a data directory (.parley)
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from deploy.local.envoy import CONFIG
from deploy.local.run_file import read_run_file
from deploy.monitoring.boards import DASHBOARDS
from deploy.monitoring.envoy_tracing import with_tracing
from deploy.monitoring.metrics_page import metrics_page
from deploy.monitoring.scrape import scrape_configuration
from deploy.monitoring.settings_page import settings_page
from deploy.tls.envoy import with_mutual_tls

_ROOT: Final = Path(__file__).parents[2]
TRACED_EDGE: Final = _ROOT / "deploy" / "k8s" / "components" / "tracing" / "edge" / "envoy.yaml"
COLLECTOR: Final = ("otel-collector.monitoring.svc", 4317)
"""Where components/tracing sends traces."""


def made_files() -> dict[Path, str]:
    """What is made, by where it belongs."""
    folder = Path(__file__).with_name("dashboards")
    boards = {folder / f"{board.uid}.json": json.dumps(board.document(), indent=1) + "\n" for board in DASHBOARDS}
    docs = _ROOT / "docs"
    traced = with_tracing(with_mutual_tls(CONFIG.read_text()), *COLLECTOR)
    return {**boards, TRACED_EDGE: traced, docs / "settings.md": settings_page(), docs / "metrics.md": metrics_page()}


def out_of_date() -> list[Path]:
    """The files that are not as they would be made now."""
    return [path for path, text in made_files().items() if not path.exists() or path.read_text() != text]


def main(arguments: list[str] | None = None) -> int:
    """Does what was asked for; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.monitoring", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=("write", "check", "scrape", "envoy"))
    parser.add_argument("where", nargs="?", default="")
    chosen = parser.parse_args(arguments)
    if chosen.what == "scrape":
        return _print_scrape(Path(chosen.where or ".parley"))
    if chosen.what == "envoy":
        host, colon, port = chosen.where.rpartition(":")
        if not colon or not port.isdigit():
            parser.error("where traces go must be given as HOST:PORT")
        sys.stdout.write(with_tracing(CONFIG.read_text(), host, int(port)))
        return 0
    stale = out_of_date()
    if chosen.what == "write":
        made = made_files()
        for path in stale:
            path.write_text(made[path])
    sys.stdout.writelines(f"{path.relative_to(_ROOT)}\n" for path in stale)
    return 1 if stale and chosen.what == "check" else 0


def _print_scrape(folder: Path) -> int:
    stack = read_run_file(folder)
    if stack is None:
        sys.stderr.write(f"No stack runs in {folder}. Start one with `make run`.\n")
        return 1
    sys.stdout.write(json.dumps(scrape_configuration(stack), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
