"""Ways to break manifests, for tests that see whether a policy notices."""

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
    """Sets what is at a path of one manifest."""

    def edit(manifests: Manifests) -> None:
        _place(_found(manifests, kind, name), path[:-1])[path[-1]] = value

    return edit


def drop(kind: str, name: str, path: Path) -> Edit:
    """Removes what is at a path of one manifest."""

    def edit(manifests: Manifests) -> None:
        del _place(_found(manifests, kind, name), path[:-1])[path[-1]]

    return edit


def forget(kind: str, name: str) -> Edit:
    """Removes a manifest."""

    def edit(manifests: Manifests) -> None:
        manifests.items.remove(_found(manifests, kind, name))

    return edit


def add(manifest: Manifest) -> Edit:
    """Adds a manifest."""
    return lambda manifests: manifests.items.append(manifest)


def tell(config_map: str, variable: str, value: str | None) -> Edit:
    """Sets a variable of a ConfigMap, which is named without its digest; None takes it away."""

    def edit(manifests: Manifests) -> None:
        (found,) = (m for m in manifests.of("ConfigMap") if m["metadata"]["name"].startswith(f"{config_map}-"))
        if value is None:
            del found["data"][variable]
        else:
            found["data"][variable] = value

    return edit


def configure_envoy(change: Callable[[dict[str, Any]], None]) -> Edit:
    """Changes Envoy's configuration."""

    def edit(manifests: Manifests) -> None:
        (found,) = (m for m in manifests.of("ConfigMap") if "envoy.yaml" in m["data"])
        configuration = yaml.safe_load(found["data"]["envoy.yaml"])
        change(configuration)
        found["data"]["envoy.yaml"] = yaml.safe_dump(configuration)

    return edit


def _found(manifests: Manifests, kind: str, name: str) -> Manifest:
    found = manifests.get(kind, name)
    if found is None:
        raise LookupError(f"there is no {kind} {name}")
    return found


def _place(manifest: Any, path: Path) -> Any:
    for step in path:
        manifest = manifest[step]
    return manifest
