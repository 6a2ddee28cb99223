"""Skips these tests on machines without kustomize. `make k8s-check`, which CI runs, fails without it."""

from __future__ import annotations

import pytest

from tests.k8s.rendering import MissingToolError, tool


@pytest.fixture(scope="session", autouse=True)
def kustomize() -> None:
    try:
        tool()
    except MissingToolError as error:
        pytest.skip(str(error))
