"""Checks what the documents state: links, files, names, ops, settings, metrics."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from gateway.dialects.native.requests import all_commands

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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_headings_lead_to_one(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", document.read_text())
    assert not [
        f"{path}#{anchor}"
        for path, anchor in links
        if anchor not in _anchors(document.parent / path if path else document)
    ]


def test_headings_that_modules_cite_are_in_the_documents() -> None:
    cited = [
        (str(module.relative_to(ROOT)), heading, document)
        for folder in ("backup", "bench", "chassis", "cli", "clients", "deploy", "gateway", "services", "tests")
        for module in (ROOT / folder).rglob("*.py")
        for heading, document in re.findall(r'"([^"\n]+)"\s+(?:in|of)\s+(docs/[\w/-]+\.md)', module.read_text())
    ]
    assert cited
    assert not [(module, heading) for module, heading, document in cited if heading not in _headings(ROOT / document)]


def _headings(document: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE) if document.is_file() else []


def _anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in _headings(document)}


def test_every_decision_record_is_in_the_index_and_has_a_number_of_its_own() -> None:
    folder = ROOT / "docs" / "adr"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    listed = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \|", (folder / "README.md").read_text(), re.MULTILINE)
    assert [(name[:4], name) for name in records] == listed
    numbers = [name[:4] for name in records]
    assert len(set(numbers)) == len(numbers)


def test_the_protocol_lists_exactly_the_ops_that_there_are() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    table = text[text.index("## Requests") : text.index("## Events")]
    listed: set[str] = set()
    for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE):
        names = re.findall(r"`([\w.]+)`", row)
        listed |= {name if not name.startswith(".") else names[0].rpartition(".")[0] + name for name in names}
    assert listed == set(all_commands())


def test_the_message_flow_names_files_and_what_is_in_them() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text[text.index("## Message flow") : text.index("## Index")]
    steps = re.findall(r"^(\d+)\. `([\w./]+)`(?: \(((?:`[\w.]+`(?:, )?)+)\))?: ", section, re.MULTILINE)
    assert len(steps) == len(re.findall(r"^\d+\. ", section, re.MULTILINE))
    numbers = [int(number) for number, _, _ in steps]
    hops = numbers.index(1, 1)  # the numbers of the message's hops end where those of connections begin
    assert numbers == [*range(1, hops + 1), *range(1, len(steps) - hops + 1)]
    assert not [missing for _, file, names in steps for missing in _missing(file, re.findall(r"`([\w.]+)`", names))]


def test_the_index_names_files_and_what_is_in_them() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text[text.index("## Index") : text.index("## Invariants")]
    rows = re.findall(r"^\| (.+\?) \| (.+) \| (.*) ?\|$", section, re.MULTILINE)
    assert len(rows) == section.count("\n| ") - 2  # not the heading and the line under it
    for question, files, names in rows:
        paths = re.findall(r"`([\w./-]+)`", files)
        assert paths, question
        assert not [path for path in paths if not (ROOT / path).is_file()], question
        assert not _missing(paths[0], re.findall(r"`([\w.]+)`", names)), question


def test_the_layers_in_the_architecture_are_those_of_the_linter() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text[text.index("### Gateway") : text.index("### Chassis")]
    rows = re.findall(r"^\| (`.+?`) \|", section, re.MULTILINE)
    names = [Path(name).stem for row in rows for name in re.findall(r"`([\w./]+)`", row)]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["name"] == "Layers of the gateway"]
    assert names == layers


def _missing(file: str, names: Iterable[str]) -> list[str]:
    """The names that a file does not define; a method is written `Class.method`."""
    path = ROOT / file
    if not path.is_file():
        return [file]
    defined = _defined(ast.parse(path.read_text()).body) if path.suffix == ".py" else set()
    return [f"{file}: {name}" for name in names if name not in defined]


def _defined(body: Iterable[ast.stmt], prefix: str = "") -> set[str]:
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                names |= _defined(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {prefix + target.id for target in targets if isinstance(target, ast.Name)}
    return names


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
