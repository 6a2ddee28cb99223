"""Schemathesis calls everything in /openapi.json, rightly and wrongly: nothing breaks, and answers are as described."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.component.gateway.rest.harness import Harness

EXAMPLES = 20
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
FRAMING = {"connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"}
"""Headers that frame an HTTP message: the client's own. A made-up one is no HTTP, and is refused before any path."""
UNHELD = {"/readyz"}
"""Paths that say 503 as they should: this house has no presence."""


def exercise(
    schema: Any, base_url: str, headers: dict[str, str], mode: GenerationMode
) -> tuple[dict[str, int], list[str]]:
    """Calls each operation a number of times, in a thread of its own; gives how often, and what was wrong."""
    calls: dict[str, int] = {}
    faults: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in UNHELD:
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def call(case: Case[Any]) -> None:
            calls[case.operation.label] = calls.get(case.operation.label, 0) + 1
            for name in [name for name in case.headers or () if name.lower() in FRAMING]:
                del case.headers[name]
            response = case.call(base_url=base_url, headers=headers, timeout=20)
            case.validate_response(response, checks=CHECKS)

        try:
            call()
        except* Unsatisfiable:  # nothing is asked, so nothing can be asked wrongly
            pass
        except* Exception as group:
            faults += [f"{operation.label}: {error}" for error in group.exceptions]
    return calls, faults


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as described", "otherwise"])
async def test_everything_described_is_called(house: Harness, organization: str, mode: GenerationMode) -> None:
    admin = await house.join(organization, "admin")
    document = (await house.http.get("/openapi.json")).json()
    schema = schemathesis.openapi.from_dict(document)
    headers = {"authorization": f"Bearer {admin.signed_in.access_token}"}
    calls, faults = await asyncio.to_thread(exercise, schema, str(house.http.base_url), headers, mode)
    assert not faults, "\n\n".join(faults)
    left_out = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path not in UNHELD and (mode is GenerationMode.POSITIVE or operation.keys() & {"parameters", "requestBody"})
    } - set(calls)
    assert not left_out
