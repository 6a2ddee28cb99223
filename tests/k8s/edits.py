"""Edits that break manifests, for tests of the policies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import yaml

from tests.k8s.manifests import Manifest, Manifests

Edit = Callable[[Manifests], None]
Path = tuple[str | int, ...]

POD: Final[Path] = ("spec", "template", "spec")
CONTAINER: Final[Path] = (*POD, "containers", 0)


def put(kind: str, name: str, path: Path, value: Any) -> Edit:
    """Sets the value at a path of a manifest."""

    def edit(manifests: Manifests) -> None:
        _value_at(_manifest(manifests, kind, name), path[:-1])[path[-1]] = value

    return edit


def drop(kind: str, name: str, path: Path) -> Edit:
    """Removes the value at a path of a manifest."""

    def edit(manifests: Manifests) -> None:
        del _value_at(_manifest(manifests, kind, name), path[:-1])[path[-1]]

    return edit


def remove(kind: str, name: str) -> Edit:
    """Removes a manifest."""

    def edit(manifests: Manifests) -> None:
        manifests.items.remove(_manifest(manifests, kind, name))

    return edit


def add(manifest: Manifest) -> Edit:
    """Adds a manifest."""
    return lambda manifests: manifests.items.append(manifest)


def set_variable(config_map: str, variable: str, value: str | None) -> Edit:
    """Sets a variable of a ConfigMap, named without its hash; None removes the variable."""

    def edit(manifests: Manifests) -> None:
        (manifest,) = (m for m in manifests.of("ConfigMap") if m["metadata"]["name"].startswith(f"{config_map}-"))
        if value is None:
            del manifest["data"][variable]
        else:
            manifest["data"][variable] = value

    return edit


def configure_envoy(change: Callable[[dict[str, Any]], None]) -> Edit:
    """Changes Envoy's configuration."""

    def edit(manifests: Manifests) -> None:
        (manifest,) = (m for m in manifests.of("ConfigMap") if "envoy.yaml" in m["data"])
        configuration = yaml.safe_load(manifest["data"]["envoy.yaml"])
        change(configuration)
        manifest["data"]["envoy.yaml"] = yaml.safe_dump(configuration)

    return edit


def _manifest(manifests: Manifests, kind: str, name: str) -> Manifest:
    manifest = manifests.get(kind, name)
    if manifest is None:
        raise LookupError(f"no {kind} {name}")
    return manifest


def _value_at(manifest: Any, path: Path) -> Any:
    for step in path:
        manifest = manifest[step]
    return manifest
