"""Reads deploy/monitoring/alerts.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
RUNBOOKS = ROOT / "docs" / "runbooks"
_COMPARISON = re.compile(r"\s(?:==|!=|<=|>=|<|>)\s*[\d.]+\s*$")


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert rule."""

    name: str
    expression: str
    rule: dict[str, Any]

    @property
    def series(self) -> str:
        """The expression without its final comparison."""
        series, count = _COMPARISON.subn("", self.expression)
        assert count == 1, f"{self.name} does not end with a comparison to a number"
        return series


def alerts() -> list[Alert]:
    """Returns all alerts in the order of the file."""
    document = yaml.safe_load((MONITORING / "alerts.yaml").read_text())
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    return [Alert(rule["alert"], rule["expr"], rule) for rule in rules if "alert" in rule]
