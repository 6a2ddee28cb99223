"""Tests that every method gives every caller the response in the table for every resource."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from parley.options.v1 import rule_pb2

from chassis.errors import AppError
from chassis.rpc.access import access_of
from chassis.rpc.status import from_status
from tests.component.access.table import NOT_ALLOWED, OK, TABLE, Case
from tests.component.access.world import ANONYMOUS, CALLERS, ROLES, SERVICE, World, opened_world
from tests.component.bad_input import call_method
from tests.unit.chassis.contracts import METHODS, SERVICES

SCOPES_OF_THE_SERVICE = {
    "users.act",
    "users.write",
    "directory.read",
    "organizations.write",
    "revocations.watch",
    "streams.subscribe",
    "notifications.write",
}


def admitted(rule: rule_pb2.Rule) -> set[str]:
    """Returns the callers that a method's rule admits, in the terms of the table."""
    if rule.public:
        return set(CALLERS)
    users = set(ROLES) if rule.user else set(rule.roles)
    return users | ({SERVICE} if rule.scope in SCOPES_OF_THE_SERVICE else set())


def test_every_method_has_a_row_and_the_row_is_the_rule() -> None:
    rules = {path.rpartition(".")[2]: access.rule for path, access in access_of(SERVICES).items()}
    assert set(rules) == set(METHODS)
    assert {name: admitted(rule) for name, rule in rules.items()} == {
        name: set(case.callers) for name, case in TABLE.items()
    }


@pytest.fixture(scope="module")
async def world(mongodb_uri: str, redis_url: str) -> AsyncIterator[World]:
    """One world for all methods."""
    async with opened_world(mongodb_uri, redis_url, "test_access") as opened:
        yield opened


def expected(case: Case, caller: str, relation: str) -> str:
    """Returns the response in the table."""
    if caller not in case.callers:
        return "UNAUTHENTICATED TOKEN_MISSING" if caller == ANONYMOUS else NOT_ALLOWED
    return case.exceptions.get((caller, relation), case.answers[relation])


def outcome_of(response: Any) -> str:
    """Returns the outcome of a call: its error, or that of its only item."""
    error: AppError | None = response if isinstance(response, AppError) else None
    outcomes = getattr(response, "outcomes", None)
    if outcomes:
        status = outcomes[0] if isinstance(outcomes[0], Status) else outcomes[0].error
        error = from_status(status) if status.code else None
    return f"{error.category.name} {error.reason}" if error is not None else OK


@pytest.mark.parametrize("name", METHODS)
async def test_every_caller_gets_the_outcome_in_the_table(world: World, name: str) -> None:
    case, method = TABLE[name], METHODS[name]
    channel = world.channels[method.containing_service.file.package.split(".")[1]]
    wrong = []
    for caller in CALLERS:
        for relation in case.answers:
            is_admitted = caller in case.callers
            resource = await world.resource(caller, case.kind, relation, fresh=case.uses_up and is_admitted)
            response = await call_method(channel, method, case.request(resource), world.metadata[caller])
            if case.ends_session and is_admitted:
                await world.sign_in_again(caller)
            if outcome_of(response) != expected(case, caller, relation):
                wrong.append(
                    f"{caller} about {relation}: {outcome_of(response)}, not {expected(case, caller, relation)}"
                )
    assert wrong == []
