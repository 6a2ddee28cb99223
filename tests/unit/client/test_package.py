"""The client's distribution, installed into an environment that has only what its metadata names."""

import ast
import json
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[3] / "clients" / "python"
CHECKOUT = PROJECT.parents[1]

# Imports every module of the client, then prints what it imported and what else could be imported.
PROGRAM = """
import importlib, importlib.util, json, pkgutil, sys
import parley_client
for module in pkgutil.walk_packages(parley_client.__path__, "parley_client."):
    importlib.import_module(module.name)
servers = ("backup", "bench", "chassis", "cli", "deploy", "gateway", "grpc", "parley", "services")
print(json.dumps({
    "file": parley_client.__file__,
    "path": sys.path,
    "imported": sorted({name.partition(".")[0] for name in sys.modules}),
    "importable": [name for name in servers if importlib.util.find_spec(name) is not None],
}))
"""


def run(*command: object, cwd: Path) -> str:
    """Returns the standard output of a command that must succeed."""
    done = subprocess.run(  # noqa: S603  # our own commands
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: setuptools leaves its intermediate files beside the sources."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    shutil.copytree(PROJECT, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", *options, source, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel and the packages that it requires, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    interpreter = folder / "bin" / "python"
    options = ("--quiet", "--no-deps", "--no-index")
    run(sys.executable, "-m", "pip", "--python", interpreter, "install", *options, wheel, cwd=folder)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (metadata,) = site_packages.glob("parley_client-*.dist-info")
    for required in closure(Distribution.at(metadata)).values():
        copy_files(required, site_packages)
    return interpreter


def closure(root: Distribution) -> dict[str, Distribution]:
    """Returns the installed distributions that a distribution requires, directly or not, by name."""
    found: dict[str, Distribution] = {}
    left = list(root.requires or ())
    while left:
        requirement = Requirement(left.pop())
        name = canonicalize_name(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if name in found or not applies:
            continue
        found[name] = distribution(name)
        assert found[name].version in requirement.specifier
        left += found[name].requires or ()
    return found


def copy_files(required: Distribution, site_packages: Path) -> None:
    for file in required.files or ():
        source = Path(str(required.locate_file(file)))
        if ".." not in file.parts and source.exists():
            destination = site_packages / file
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, destination)


def test_the_wheel_holds_the_client_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        header = archive.read(metadata).decode().partition("\n\n")[0].splitlines()

    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"parley_client"}
    assert "parley_client/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {"Name: parley-client", "License-Expression: Apache-2.0", "Requires-Python: >=3.11"} <= set(header)
    modules = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "parley_client").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def test_every_module_imports_without_the_checkout_and_without_a_server(python: Path, tmp_path: Path) -> None:
    report = json.loads(run(python, "-I", "-c", PROGRAM, cwd=tmp_path))

    assert Path(report["file"]).is_relative_to(python.parents[1])
    assert not [entry for entry in report["path"] if Path(entry).is_relative_to(CHECKOUT)]
    assert report["importable"] == []
    assert {"httpx", "msgspec", "websockets"} <= set(report["imported"])


def test_what_the_client_requires_is_what_it_imports(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sources = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")]
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))).decode()
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    imported = {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {(node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    required = {Requirement(line).name for line in re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)}

    assert imported - sys.stdlib_module_names == required | {"parley_client"}
