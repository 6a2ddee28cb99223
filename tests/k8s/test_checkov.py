"""checkov passes every overlay, and notices what it is relied upon for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import yaml

from tests.checkov.scan import CONFIGURATION, Report, scan
from tests.k8s.edits import CONTAINER, POD, Edit, drop, put
from tests.k8s.manifests import Manifests
from tests.k8s.mutations.mutation import in_container, in_deployment
from tests.k8s.rendering import NAMES, overlay

pytestmark = pytest.mark.checkov

_JOB_POD: Final = ("spec", "jobTemplate", *POD)
_MIN_PASSED: Final = 3_000
"""Passed checks of all overlays; fewer mean that checkov no longer reads the manifests."""


class Mutation(NamedTuple):
    """A change to a manifest, and the check that must notice it."""

    check: str
    edit: Edit
    overlay: str = "staging"


MUTATIONS: Final = {
    "root": Mutation("CKV_K8S_40", in_deployment("chat", (*POD, "securityContext", "runAsUser"), 0)),
    "a backup as root": Mutation(
        "CKV_K8S_40", put("CronJob", "backup", (*_JOB_POD, "securityContext", "runAsUser"), 0)
    ),
    "unconfined system calls": Mutation(
        "CKV_K8S_31", in_deployment("auth", (*POD, "securityContext", "seccompProfile"), {"type": "Unconfined"})
    ),
    "an added capability": Mutation(
        "CKV_K8S_25",
        in_container("envoy", ("securityContext", "capabilities"), {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    ),
    "kept capabilities": Mutation("CKV_K8S_37", in_container("envoy", ("securityContext", "capabilities"), {})),
    "privilege escalation": Mutation(
        "CKV_K8S_20", drop("Deployment", "chat", (*CONTAINER, "securityContext", "allowPrivilegeEscalation"))
    ),
    "privileged": Mutation("CKV_K8S_16", in_container("chat", ("securityContext", "privileged"), True)),
    "a writable root": Mutation(
        "CKV_K8S_22", in_container("gateway", ("securityContext", "readOnlyRootFilesystem"), False)
    ),
    "the host's network": Mutation("CKV_K8S_19", in_deployment("envoy", (*POD, "hostNetwork"), True)),
    "the host's processes": Mutation("CKV_K8S_17", in_deployment("chat", (*POD, "hostPID"), True)),
    "a host port": Mutation("CKV_K8S_26", in_container("envoy", ("ports", 0, "hostPort"), 80)),
    "an API token": Mutation("CKV_K8S_38", in_deployment("chat", (*POD, "automountServiceAccountToken"), True)),
    "no memory limit": Mutation(
        "CKV_K8S_13", drop("Deployment", "notify", (*CONTAINER, "resources", "limits", "memory"))
    ),
    "no CPU request": Mutation(
        "CKV_K8S_10", drop("Deployment", "notify", (*CONTAINER, "resources", "requests", "cpu"))
    ),
    "an image without a tag": Mutation(
        "CKV_K8S_14", in_container("chat", ("image",), "registry.example.com:5000/parley")
    ),
    "the latest image": Mutation("CKV_K8S_14", in_container("chat", ("image",), "parley:latest")),
    "no liveness probe": Mutation("CKV_K8S_8", drop("Deployment", "auth", (*CONTAINER, "livenessProbe"))),
    "no readiness probe": Mutation("CKV_K8S_9", drop("StatefulSet", "mongodb", (*CONTAINER, "readinessProbe")), "dev"),
}


def _changed(mutation: Mutation) -> Manifests:
    """Returns only the manifests that a mutation changes."""
    whole = overlay(mutation.overlay)
    broken = whole.copy()
    mutation.edit(broken)
    return Manifests(manifest for manifest in broken if manifest not in whole.items)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("manifests")


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    """Scans the overlays and the broken manifests in one run."""
    texts = {name: overlay(name) for name in NAMES} | {name: _changed(mutation) for name, mutation in MUTATIONS.items()}
    for name, manifests in texts.items():
        _file(folder, name).write_text(yaml.safe_dump_all(manifests.items))
    return scan("kubernetes", [_file(folder, name) for name in texts])


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name.replace(' ', '-')}.yaml"


@pytest.mark.parametrize("name", NAMES)
def test_an_overlay_passes(report: Report, folder: Path, name: str) -> None:
    assert [str(failure) for failure in report.of(_file(folder, name))] == []


def test_the_overlays_are_read(report: Report) -> None:
    assert report.passed >= _MIN_PASSED


@pytest.mark.parametrize(("name", "mutation"), MUTATIONS.items(), ids=MUTATIONS.keys())
def test_a_broken_manifest_fails(report: Report, folder: Path, name: str, mutation: Mutation) -> None:
    assert mutation.check in {failure.check for failure in report.of(_file(folder, name))}


def test_every_skipped_check_has_its_reason_above_it() -> None:
    lines = CONFIGURATION.read_text().splitlines()
    skipped = [index for index, line in enumerate(lines) if re.fullmatch(r"\s+- CKV\w+", line)]
    assert skipped
    assert all(lines[index - 1].lstrip().startswith("# ") for index in skipped)
