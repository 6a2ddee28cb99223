"""checkov passes the Dockerfile, and notices what it is relied upon for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.checkov.scan import Report, scan
from tests.docker.mutations.mutation import instruct
from tests.docker.plan import FOLDER, plan

pytestmark = pytest.mark.checkov

_DOCKERFILE: Final = FOLDER / "Dockerfile"
MUTATIONS: Final = {
    "root": ("CKV_DOCKER_8", instruct("USER 10001:10001", "USER root")),
    "no user": ("CKV_DOCKER_3", instruct("USER 10001:10001\n", "")),
    "the latest base": ("CKV_DOCKER_7", instruct("python:3.11-slim-bookworm", "python:latest")),
    "no health check": ("CKV_DOCKER_2", instruct("HEALTHCHECK", "LABEL")),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dockerfiles")


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    """Scans the Dockerfile and its broken copies in one run."""
    for name, (_, edit) in MUTATIONS.items():
        broken = plan().copy()
        edit(broken)
        _file(folder, name).parent.mkdir()
        _file(folder, name).write_text(broken.dockerfile)
    return scan("dockerfile", [_DOCKERFILE, *(_file(folder, name) for name in MUTATIONS)])


def _file(folder: Path, name: str) -> Path:
    return folder / name.replace(" ", "-") / "Dockerfile"


def test_the_dockerfile_passes(report: Report) -> None:
    assert [str(failure) for failure in report.of(_DOCKERFILE)] == []


@pytest.mark.parametrize(("name", "check"), [(name, check) for name, (check, _) in MUTATIONS.items()])
def test_a_broken_dockerfile_fails(report: Report, folder: Path, name: str, check: str) -> None:
    assert check in {failure.check for failure in report.of(_file(folder, name))}
