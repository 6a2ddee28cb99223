"""What the documents say that a test can check."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.dialects.native.requests import OPERATIONS

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "clients").rglob("*.md")]
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_in_documents_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    paths = re.findall(r"`((?:services|gateway|chassis|protos|deploy|clients|docs|cli|tests)/[\w./-]+)`", text)
    missing = [link for link in links if not (document.parent / link).exists()]
    missing += [path for path in paths if not (ROOT / path).exists()]
    assert not missing


def test_the_protocol_lists_exactly_the_ops_that_there_are() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    table = text[text.index("## Requests") : text.index("## Events")]
    listed: set[str] = set()
    for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE):
        names = re.findall(r"`([\w.]+)`", row)
        listed |= {name if not name.startswith(".") else names[0].rpartition(".")[0] + name for name in names}
    assert listed == set(OPERATIONS)


def test_the_way_of_a_message_is_eight_short_files() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text[text.index("## The way") : text.index("## What makes")]
    files = re.findall(r"^\d\. `([\w./]+)`", section, re.MULTILINE)
    assert len(files) == 8
    assert all(len((ROOT / file).read_text().splitlines()) <= 400 for file in files)


def test_every_setting_that_the_documents_name_is_one() -> None:
    sources = [*ROOT.glob("*/settings.py"), *ROOT.glob("*/*/settings.py")]
    known = {
        name.upper() for source in sources for name in re.findall(r"^    (\w+):", source.read_text(), re.MULTILINE)
    }
    commands = [path.read_text() for path in (ROOT / "cli").glob("*.py")]  # which read some of their own
    known |= {name for command in commands for name in re.findall(r'"PARLEY_([A-Z_]+)"', command)}
    named = {name for document in DOCUMENTS for name in re.findall(r"PARLEY_([A-Z_]+[A-Z])\b", document.read_text())}
    assert named <= known


def test_every_metric_that_the_documents_name_is_one() -> None:
    sources = "\n".join(
        path.read_text() for folder in ("chassis", "services", "gateway") for path in (ROOT / folder).rglob("*.py")
    )
    named = {name for document in DOCUMENTS for name in re.findall(r"`((?:parley|grpc)_\w+)`", document.read_text())}
    assert not {name for name in named if f'"{name}"' not in sources}
