"""The image's lock: the tested versions and hashes, without developers' packages."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docker.plan import FOLDER, ROOT

_COMMENT: Final = re.compile(r"^\s*#.*$", re.MULTILINE)


def _locked(text: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Returns the version and hashes of each package in a lock file."""
    packages: dict[str, tuple[str, frozenset[str]]] = {}
    for entry in _COMMENT.sub("", text).replace("\\\n", " ").splitlines():
        if entry.strip():
            requirement, *hashes = entry.split(" --hash=")
            parsed = Requirement(requirement.strip())
            packages[canonicalize_name(parsed.name)] = (str(parsed.specifier), frozenset(h.strip() for h in hashes))
    return packages


def _declared(extra: str | None = None) -> set[str]:
    """The packages that Parley and its client declare; not the client, which is installed from the checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    client = tomllib.loads((ROOT / "clients" / "python" / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *client["dependencies"]]
    if extra is not None:
        lines = project["optional-dependencies"][extra]
    names: set[str] = {canonicalize_name(Requirement(line).name) for line in lines}
    return names - {client["name"]}


IMAGE: Final = _locked((FOLDER / "requirements.lock").read_text())
TESTED: Final = _locked((ROOT / "requirements.lock").read_text())


def test_the_image_has_the_tested_versions_and_hashes() -> None:
    assert {name: TESTED.get(name) for name in IMAGE} == IMAGE


def test_each_of_them_has_a_version_and_hashes() -> None:
    assert all(version.startswith("==") and hashes for version, hashes in IMAGE.values())


def test_all_that_parley_declares_is_locked_for_the_image() -> None:
    assert _declared() <= IMAGE.keys()


def test_nothing_that_only_developers_need_is_in_it() -> None:
    # These are needed at run time too, or to build the package.
    elsewhere = _declared() | {"setuptools"}
    assert IMAGE.keys() & (_declared("dev") | _declared("local")) <= elsewhere
