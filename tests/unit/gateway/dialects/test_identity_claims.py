"""A payload may claim an identity only if it is the true one."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.errors import InvalidArgumentError, PermissionDeniedError
from gateway.dialects.identity_claims import check_claims
from tests.unit.gateway.fixtures import identity

WHO = identity("42", organization_id="7", role="agent_l1")


def their_role(role: str) -> str:
    return role.replace("employee_l", "agent_l")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content": "hi"},
        {"userId": "42", "senderId": "42", "organizationId": "7", "userRole": "agent_l1"},
        {"userId": 42, "senderId": 42, "organizationId": 7},
        {"userId": None, "senderId": None, "organizationId": None, "userRole": None},
        {"targetUserId": "bob", "receiverId": "bob"},
        {"nested": {"userId": "bob"}},
        None,
        "userId",
        7,
        [{"userId": "bob"}],
    ],
)
def test_what_claims_nothing_or_what_the_token_says_passes(body: Any) -> None:
    check_claims(body, WHO)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"userId": "bob"}, "userId"),
        ({"userId": 43}, "userId"),
        ({"userId": ""}, "userId"),
        ({"userId": "042"}, "userId"),
        ({"userId": "42 "}, "userId"),
        ({"senderId": "bob"}, "senderId"),
        ({"senderId": "bob", "userId": "42"}, "senderId"),
        ({"organizationId": "other"}, "organizationId"),
        ({"organizationId": 8}, "organizationId"),
        ({"userRole": "admin"}, "userRole"),
        ({"userRole": "AGENT_L1"}, "userRole"),
        ({"userRole": "employee_l1"}, "userRole"),
    ],
)
def test_what_claims_to_be_of_somebody_else_is_refused_with_the_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(PermissionDeniedError, match=field) as refused:
        check_claims(body, WHO)
    assert refused.value.reason == "IDENTITY_MISMATCH"
    for value in body.values():
        assert str(value) not in refused.value.message or str(value) == ""


@pytest.mark.parametrize(
    ("claimed", "passes"),
    [("employee_l1", True), ("agent_l1", True), ("employee_l2", False), ("client", False), ("employee_l1 ", False)],
)
def test_a_role_may_be_called_by_another_name(claimed: str, passes: bool) -> None:
    if passes:
        check_claims({"userRole": claimed}, WHO, their_role)
    else:
        with pytest.raises(PermissionDeniedError):
            check_claims({"userRole": claimed}, WHO, their_role)


@pytest.mark.parametrize("claim", ["userId", "senderId", "organizationId", "userRole"])
@pytest.mark.parametrize("mistyped", [42.0, True, [], {"id": 42}])
def test_what_can_be_no_claim_is_named(claim: str, mistyped: Any) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        check_claims({"userId": "42", claim: mistyped}, WHO)
    assert list(refused.value.fields) == [claim]


def test_a_role_is_no_number() -> None:
    with pytest.raises(InvalidArgumentError, match="userRole"):
        check_claims({"userRole": 5}, WHO)


def test_an_id_is_not_taken_for_a_role() -> None:
    """Only roles have other names."""
    who = identity("agent_l1", role="client")
    with pytest.raises(PermissionDeniedError):
        check_claims({"userId": "employee_l1"}, who, their_role)
