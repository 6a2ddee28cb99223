"""Renders overlays with kubectl's kustomize or a separate one."""

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
_TIMEOUT_SECONDS: Final = 60.0


class MissingToolError(Exception):
    """This machine has no kustomize."""


def tool() -> tuple[str, ...]:
    """Returns the command that renders a directory. Raises MissingToolError."""
    if kubectl := shutil.which("kubectl"):
        return kubectl, "kustomize"
    if kustomize := shutil.which("kustomize"):
        return kustomize, "build"
    raise MissingToolError("neither kubectl nor kustomize is on the PATH; rendering deploy/k8s needs one of them")


def render(directory: Path) -> Manifests:
    """Renders a directory. Raises CalledProcessError with kustomize's error in stderr."""
    process = subprocess.run(  # noqa: S603  # a fixed command
        [*tool(), str(directory)], check=True, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
    )
    return Manifests(document for document in yaml.safe_load_all(process.stdout) if document)


@cache
def overlay(name: str) -> Manifests:
    """Returns an overlay, rendered once. Copy it before changing it."""
    return render(OVERLAYS / name)


def encrypts_inside(manifests: Manifests) -> bool:
    """Whether Envoy and the processes use mutual TLS."""
    listeners = envoy_configuration(manifests)["static_resources"]["listeners"]
    return any(listener["name"] == "internal" for listener in listeners)


def envoy_configuration(manifests: Manifests) -> dict[str, Any]:
    """Returns Envoy's configuration from its ConfigMap."""
    for config_map in manifests.of("ConfigMap"):
        if text := config_map.get("data", {}).get("envoy.yaml"):
            configuration: dict[str, Any] = yaml.safe_load(text)
            return configuration
    raise LookupError("no ConfigMap has an envoy.yaml")
