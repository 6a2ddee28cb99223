"""The generated files are up to date."""

from __future__ import annotations

import json

from deploy.generate import DASHBOARD_FOLDER, generated_files, out_of_date
from deploy.monitoring.boards import DASHBOARDS
from deploy.monitoring.settings_page import PROCESSES
from tests.monitoring.rules import ROOT


def test_generated_files_are_up_to_date() -> None:
    stale = [str(path.relative_to(ROOT)) for path in out_of_date()]
    assert not stale, "run `make reference`"


def test_every_dashboard_file_is_generated() -> None:
    assert set(DASHBOARD_FOLDER.iterdir()) <= generated_files().keys()


def test_a_setting_stands_on_the_page_once_for_each_process_that_has_it_for_itself() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    for settings in PROCESSES.values():
        for name in settings.model_fields:
            assert f"| `PARLEY_{name.upper()}` |" in page


def test_panels_have_distinct_ids_and_do_not_overlap() -> None:
    assert len({board.uid for board in DASHBOARDS}) == len(DASHBOARDS)
    for board in DASHBOARDS:
        panels = json.loads(json.dumps(board.document()))["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        cells = [
            (x, y)
            for place in (panel["gridPos"] for panel in panels)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(set(cells)) == len(cells)
        assert max(x for x, _ in cells) < 24
