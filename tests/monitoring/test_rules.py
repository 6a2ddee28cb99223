"""The alert rules, checked and tested by promtool."""

from __future__ import annotations

import subprocess

import pytest

from tests.monitoring.prometheus import program
from tests.monitoring.rules import MONITORING

pytestmark = pytest.mark.prometheus


def promtool(*arguments: str) -> None:
    command = [str(program("promtool")), *arguments]
    process = subprocess.run(command, cwd=MONITORING, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert process.returncode == 0, process.stdout + process.stderr


def test_the_rules_are_well_formed() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml")


def test_every_alert_fires_on_what_it_is_for_and_on_nothing_else() -> None:
    promtool("test", "rules", "alerts_test.yaml")
