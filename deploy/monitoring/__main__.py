"""`python -m deploy.monitoring`: prints configurations for monitoring a stack on this machine.

scrape [FOLDER]   Prometheus's, for the stack that runs in a data directory (default .parley)
envoy HOST:PORT   Envoy's, with traces sent to a collector by OTLP over gRPC
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from deploy.envoy_edit import CONFIG
from deploy.local.run_file import read_run_file
from deploy.monitoring.envoy_tracing import with_tracing
from deploy.monitoring.scrape import scrape_configuration


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.monitoring", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("action", choices=("scrape", "envoy"))
    parser.add_argument("target", nargs="?", default="")
    options = parser.parse_args(arguments)
    if options.action == "scrape":
        return _print_scrape(Path(options.target or ".parley"))
    host, colon, port = options.target.rpartition(":")
    if not colon or not port.isdigit():
        parser.error("envoy needs the collector's address as HOST:PORT")
    sys.stdout.write(with_tracing(CONFIG.read_text(), host, int(port)))
    return 0


def _print_scrape(folder: Path) -> int:
    stack = read_run_file(folder)
    if stack is None:
        sys.stderr.write(f"No stack is running in {folder}. Start one with `make run`.\n")
        return 1
    sys.stdout.write(json.dumps(scrape_configuration(stack), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
