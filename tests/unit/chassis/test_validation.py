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
    checks.text("name", "Ann", at_least=1, at_most=3)
    checks.user_id("userId", "ann@acme.example:1")
    checks.done()


def test_all_fields_are_reported_with_the_first_problem_of_each() -> None:
    checks = FieldChecks()
    checks.text("name", "", at_least=1, at_most=3)
    checks.require(False, "name", "must be a second thing")
    checks.text("title", "four", at_most=3)
    assert not checks.require(False, "kind", "must be a kind")
    assert refusal(checks).fields == {
        "name": "must not be empty",
        "title": "must have 0 to 3 characters",
        "kind": "must be a kind",
    }


@pytest.mark.parametrize("value", ["", "x" * 65, "a b", "a/b", "ä", "a\n", "a\x00", "$", "{}", "\u202e"])
def test_invalid_user_ids_are_refused(value: str) -> None:
    checks = FieldChecks()
    checks.user_id("userId", value)
    assert list(refusal(checks).fields) == ["userId"]


def test_thousands_of_problems_fit_into_headers() -> None:
    checks = FieldChecks()
    for number in range(10_000):
        checks.require(False, f"items[{number}].userId", "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -")
    error = refusal(checks)
    assert len(error.fields) == MAX_PROBLEMS
    assert to_status(error).ByteSize() < 8_000
