"""Validates manifests strictly: against Kubernetes's schemas, or this folder's for custom resources."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
from jsonschema import Draft202012Validator

from tests.k8s.manifests import Manifest

VERSIONS: Final = ("1.32", "1.37")
"""The oldest Kubernetes with all features that the manifests use, and the newest with known schemas."""

_SCHEMAS: Final = Path(__file__).parent / "schemas"


def problems(manifest: Manifest) -> Iterator[str]:
    """Yields the errors of a manifest; a kind without a schema is an error too."""
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    if (validator := _custom(manifest["kind"], manifest["apiVersion"])) is not None:
        for error in validator.iter_errors(manifest):
            yield f"{name}: {error.json_path}: {error.message}"
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError as error:
            yield f"{name}: {error.message}"
        except kubernetes_validate.ValidationError as error:
            yield f"{name} ({version}): {error.json_path}: {error.message}"


@cache
def _validators() -> dict[tuple[str, str], Draft202012Validator]:
    validators = {}
    for path in sorted(_SCHEMAS.glob("*.json")):
        schema: dict[str, Any] = json.loads(path.read_text())
        Draft202012Validator.check_schema(schema)
        names = schema["properties"]
        validators[names["kind"]["const"], names["apiVersion"]["const"]] = Draft202012Validator(schema)
    return validators


def _custom(kind: str, api_version: str) -> Draft202012Validator | None:
    return _validators().get((kind, api_version))
