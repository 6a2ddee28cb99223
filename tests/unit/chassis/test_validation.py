"""All invalid fields of a request are reported at once, within the size of headers."""

from __future__ import annotations

import pytest

from chassis.errors import InvalidArgumentError
from chassis.rpc.status import to_status
from chassis.rpc.validation import MAX_PROBLEMS, FieldChecks


def refusal(checks: FieldChecks) -> InvalidArgumentError:
    with pytest.raises(InvalidArgumentError) as refused:
        checks.done()
    return refused.value


def test_a_valid_request_raises_nothing() -> None:
    checks = FieldChecks()
    assert checks.require(True, "name", "must hold")
    checks.done()


def test_all_fields_are_reported_with_the_first_problem_of_each() -> None:
    checks = FieldChecks()
    checks.require(False, "name", "must have 1 to 3 characters")
    checks.require(False, "name", "must be a second thing")
    checks.require(False, "title", "must have at most 3 characters")
    assert not checks.require(False, "kind", "must be a kind")
    assert refusal(checks).fields == {
        "name": "must have 1 to 3 characters",
        "title": "must have at most 3 characters",
        "kind": "must be a kind",
    }


def test_thousands_of_problems_fit_into_headers() -> None:
    checks = FieldChecks()
    for number in range(10_000):
        checks.require(False, f"items[{number}].userId", "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -")
    error = refusal(checks)
    assert len(error.fields) == MAX_PROBLEMS
    assert to_status(error).ByteSize() < 8_000
