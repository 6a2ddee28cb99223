"""Renders an overlay as an operator does, with the kustomize that is in kubectl or stands alone."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.k8s.manifests import Manifests

OVERLAYS: Final = Path(__file__).parents[2] / "deploy" / "k8s" / "overlays"
NAMES: Final = tuple(sorted(path.name for path in OVERLAYS.iterdir() if (path / "kustomization.yaml").exists()))
_SECONDS: Final = 60.0


class MissingToolError(Exception):
    """There is no kustomize on this machine."""


def tool() -> tuple[str, ...]:
    """The command that renders a directory. Raises MissingToolError."""
    if kubectl := shutil.which("kubectl"):
        return kubectl, "kustomize"
    if kustomize := shutil.which("kustomize"):
        return kustomize, "build"
    raise MissingToolError("neither kubectl nor kustomize is on PATH: one of them is needed to render deploy/k8s")


def render(directory: Path) -> Manifests:
    """What a directory says, as one list of manifests. Raises CalledProcessError, whose stderr says what is wrong."""
    done = subprocess.run(  # noqa: S603  # a fixed command
        [*tool(), str(directory)], check=True, capture_output=True, text=True, timeout=_SECONDS
    )
    return Manifests(document for document in yaml.safe_load_all(done.stdout) if document)


@cache
def overlay(name: str) -> Manifests:
    """An overlay, rendered once; whoever changes it takes a copy."""
    return render(OVERLAYS / name)


def encrypts_inside(manifests: Manifests) -> bool:
    """Whether Envoy and the processes talk to each other by mutual TLS."""
    listeners = envoy_configuration(manifests)["static_resources"]["listeners"]
    return any(listener["name"] == "internal" for listener in listeners)


def envoy_configuration(manifests: Manifests) -> dict[str, Any]:
    """Envoy's configuration, as the ConfigMap brings it."""
    for config_map in manifests.of("ConfigMap"):
        if text := config_map.get("data", {}).get("envoy.yaml"):
            configuration: dict[str, Any] = yaml.safe_load(text)
            return configuration
    raise LookupError("no ConfigMap has an envoy.yaml")
