"""Builds Grafana's dashboard JSON from descriptions of rows and panels; this module does the layout.

The model is Grafana's own (schema 39, Grafana 10.4 and newer), without plugins: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from deploy.monitoring.scope import scoped

_COLUMNS: Final = 24
_HEIGHT: Final = 8
_SCHEMA: Final = 39
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_SOURCE_VARIABLE: Final = {"type": "datasource", "name": "datasource", "query": "prometheus", "label": "Source"}
_NAMESPACE_VARIABLE: Final = {
    "type": "query",
    "name": "namespace",
    "label": "Namespace",
    "datasource": _SOURCE,
    "query": {"query": "label_values(parley_event_loop_delay_seconds, namespace)", "refId": "namespace"},
    "refresh": 2,
    "sort": 1,
    "multi": True,
    "includeAll": True,
    # Also matches series without a namespace, as on one machine.
    "allValue": ".*",
    "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
}


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a panel, with the legend of its series."""

    expression: str
    legend: str = "__auto"

    @property
    def scoped_expression(self) -> str:
        """The expression, limited to Parley's series in the selected namespace."""
        return scoped(self.expression)


@dataclass(frozen=True, slots=True)
class Panel:
    """A time series panel.

    Attributes:
        title: the panel's title.
        unit: Grafana's unit name: short, s, ops, reqps, percentunit, bytes, Bps.
        queries: the queries whose series are drawn.
        description: how to read the panel; may be empty.
        columns: its width, of 24 columns.
    """

    title: str
    unit: str
    queries: tuple[Query, ...]
    description: str = ""
    columns: int = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row of panels."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard; `uid` is also the file's name and must not change, or links break."""

    uid: str
    title: str
    rows: tuple[Row, ...]

    def document(self) -> dict[str, Any]:
        """Returns the dashboard in Grafana's JSON model."""
        return {
            "uid": self.uid,
            "title": f"Parley: {self.title}",
            "tags": ["parley"],
            "schemaVersion": _SCHEMA,
            "editable": False,
            "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"},
            "timezone": "utc",
            "links": [
                {"type": "dashboards", "title": "Parley", "tags": ["parley"], "asDropdown": True, "keepTime": True}
            ],
            "templating": {"list": [_SOURCE_VARIABLE, _NAMESPACE_VARIABLE]},
            "panels": list(self._panels()),
        }

    def _panels(self) -> Iterator[dict[str, Any]]:
        number, top = 0, 0
        for row in self.rows:
            number += 1
            yield {"id": number, "type": "row", "title": row.title, "gridPos": _place(0, top, _COLUMNS, 1)}
            left, top = 0, top + 1
            for panel in row.panels:
                if left + panel.columns > _COLUMNS:
                    left, top = 0, top + _HEIGHT
                number += 1
                yield _panel(panel, number, _place(left, top, panel.columns, _HEIGHT))
                left += panel.columns
            top += _HEIGHT


def by(*labels: str) -> str:
    """Returns the legend that shows labels of the series: `{{a}} {{b}}`."""
    return " ".join(f"{{{{{label}}}}}" for label in labels)


def quantiles(metric: str, group: str = "", selector: str = "") -> tuple[Query, ...]:
    """Returns queries for the 99th and 50th percentile of a histogram, by the labels of `group`."""
    labels = f"le, {group}" if group else "le"
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in group.split(",")) if group else ""
    rate = f"sum by ({labels}) (rate({metric}_bucket{selector}[$__rate_interval]))"
    return tuple(
        Query(f"histogram_quantile({quantile}, {rate})", f"{legend} {percent}".strip())
        for quantile, percent in ((0.99, "99 %"), (0.5, "50 %"))
    )


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 5, "showPoints": "never"}},
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query.scoped_expression,
                "legendFormat": query.legend,
                "exemplar": True,
            }
            for index, query in enumerate(panel.queries)
        ],
    }
