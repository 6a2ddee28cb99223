"""Where no kustomize is, these tests are passed over; `make k8s-check` and the checks before a change lands need it."""

from __future__ import annotations

import pytest

from tests.k8s.rendering import MissingToolError, tool


@pytest.fixture(scope="session", autouse=True)
def kustomize() -> None:
    try:
        tool()
    except MissingToolError as error:
        pytest.skip(str(error))
