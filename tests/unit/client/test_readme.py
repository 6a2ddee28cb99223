"""The README agrees with the code."""

import ast
import re
from pathlib import Path

import parley_client
from parley_client.contract import CHANGES, READS
from parley_client.operations import OPERATIONS, is_repeatable

_README = (Path(__file__).parents[3] / "clients" / "python" / "README.md").read_text()


def test_the_table_of_retries_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| (.*) \| (again|no) \| (.*) \|$", _README, re.MULTILINE)
    named = {op for requests, _, _ in rows for op in re.findall(r"`([\w.]+)`", requests)}
    groups = {"reads": READS, "other changes": CHANGES}

    for requests, repeated, why in rows:
        for op in groups.get(requests, re.findall(r"`([\w.]+)`", requests)):
            assert (OPERATIONS[op].repeatable, OPERATIONS[op].why) == (repeated == "again", why), op
    assert set().union(named, *groups.values()) == OPERATIONS.keys()


def test_its_modules_are_all_there_are() -> None:
    places = _README.split("## Modules")[1]
    package = Path(parley_client.__file__).parent
    named = {name.rstrip("/") for name in re.findall(r"`([a-z_]+/?)`", places)}

    assert named == {path.stem for path in package.iterdir() if path.stem not in {"__init__", "__pycache__", "py"}}


def test_its_example_is_python_and_imports_what_exists() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", _README, re.DOTALL)
    imported = [
        alias.name
        for node in ast.walk(ast.parse(example))
        if isinstance(node, ast.ImportFrom) and node.module == "parley_client"
        for alias in node.names
    ]

    assert imported
    assert set(imported) <= set(parley_client.__all__)


def test_an_op_that_is_not_known_is_not_repeated() -> None:
    assert not is_repeatable("lead.assign")
