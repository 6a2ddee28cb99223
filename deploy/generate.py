"""`python -m deploy.generate`: writes or checks the files that are generated from the code and from one another.

write   generates the dashboards, docs/settings.md, docs/metrics.md, the operations in
        docs/protocol.md, the clients' contract.py and contract.ts, the alerts for
        the Prometheus operator, and Envoy's files for mutual TLS and traces;
        and for each overlay with an edge.yaml;
        prints the files that changed
check   prints the files that are out of date, and exits with status 1 if there are any
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from parley.comments import COMMENTS

from chassis.contract.methods import all_services, methods_of
from deploy.client_module import client_module
from deploy.edge import PARAMETERS_FILE, edge_files
from deploy.envoy_edit import CONFIG
from deploy.k8s.prometheus_rule import prometheus_rule
from deploy.monitoring.boards import DASHBOARDS
from deploy.monitoring.envoy_tracing import with_tracing
from deploy.monitoring.metrics_page import metrics_page
from deploy.monitoring.scrape import ALERTS
from deploy.monitoring.settings_page import settings_page
from deploy.protocol_page import with_operations
from deploy.tls.envoy import secret_files, with_mutual_tls
from deploy.typescript_module import typescript_module

_ROOT: Final = Path(__file__).parents[1]
_DOCS: Final = _ROOT / "docs"
PROTOCOL: Final = _DOCS / "protocol.md"
DASHBOARD_FOLDER: Final = _ROOT / "deploy" / "monitoring" / "dashboards"
_COMPONENTS: Final = _ROOT / "deploy" / "k8s" / "components"
TLS_FOLDER: Final = _COMPONENTS / "tls" / "envoy"
CLIENT_CONTRACT: Final = _ROOT / "clients" / "python" / "parley_client" / "contract.py"
TYPESCRIPT_CONTRACT: Final = _ROOT / "web" / "client" / "src" / "contract.ts"
TRACED_EDGE: Final = _COMPONENTS / "tracing" / "edge" / "envoy.yaml"
OVERLAYS_WITH_EDGE: Final = sorted(
    path.parent for path in (_ROOT / "deploy" / "k8s" / "overlays").glob(f"*/{PARAMETERS_FILE}")
)
PROMETHEUS_RULE: Final = _COMPONENTS / "monitoring" / "alerts.yaml"
COLLECTOR: Final = ("otel-collector.monitoring.svc", 4317)
"""The host and port to which components/tracing sends traces."""


def generated_files() -> dict[Path, str]:
    """Returns the content of all generated files by path."""
    edge = with_mutual_tls(CONFIG.read_text())
    return {
        **{DASHBOARD_FOLDER / f"{board.uid}.json": _json(board.document()) for board in DASHBOARDS},
        **{TLS_FOLDER / name: text for name, text in {CONFIG.name: edge, **secret_files()}.items()},
        TRACED_EDGE: with_tracing(edge, *COLLECTOR),
        **{path: text for folder in OVERLAYS_WITH_EDGE for path, text in edge_files(folder).items()},
        PROMETHEUS_RULE: prometheus_rule(ALERTS.read_text()),
        _DOCS / "settings.md": settings_page(),
        _DOCS / "metrics.md": metrics_page(),
        PROTOCOL: with_operations(PROTOCOL.read_text()),
        CLIENT_CONTRACT: client_module(methods_of(all_services()), COMMENTS),
        TYPESCRIPT_CONTRACT: typescript_module(methods_of(all_services()), COMMENTS),
    }


def _json(document: object) -> str:
    return json.dumps(document, indent=1) + "\n"


def out_of_date() -> dict[Path, str]:
    """Returns the generated files that differ from what is on disk, with their new content."""
    return {path: text for path, text in generated_files().items() if not path.exists() or path.read_text() != text}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.generate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("action", choices=("write", "check"))
    action = parser.parse_args(arguments).action
    stale = out_of_date()
    sys.stdout.writelines(f"{path.relative_to(_ROOT)}\n" for path in stale)
    if action == "check":
        return int(bool(stale))
    for path, text in stale.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
