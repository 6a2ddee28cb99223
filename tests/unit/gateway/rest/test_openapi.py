"""The OpenAPI document says what is served, and is well-formed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from chassis.contract.methods import all_services, methods_of
from gateway.rest.app import VERSION
from gateway.rest.contract import camel
from gateway.rest.errors import STATUSES
from gateway.rest.openapi import document, failures_of
from gateway.rest.operation import Group, Operation
from tests.unit.gateway.rest.table import looked_at

BY_HAND = {
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/.well-known/jwks.json"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/exchange"),
    ("POST", "/api/chat/conversations/{conversationId}/read"),
    ("GET", "/api/chat/messages/{conversationId}"),
    ("POST", "/api/chat/send"),
    ("POST", "/api/chat/mark-read"),
    ("GET", "/api/chat/direct"),
    ("GET", "/api/chat/project"),
}
"""Paths that are not one RPC."""

OLD = {
    ("POST", "/api/auth/logout"),
    ("GET", "/api/users"),
    ("GET", "/api/users/me"),
    ("GET", "/api/users/{userId}"),
    ("POST", "/api/users"),
    ("PATCH", "/api/users/{userId}"),
    ("GET", "/api/chat/conversations"),
    ("GET", "/api/chat/conversations/{conversationId}"),
    ("GET", "/api/chat/conversations/{conversationId}/messages"),
    ("POST", "/api/chat/direct/create"),
    ("GET", "/api/notifications"),
    ("GET", "/api/notifications/unread-count"),
    ("POST", "/api/notifications/{notificationId}/read"),
    ("POST", "/api/notifications/read-all"),
    ("DELETE", "/api/notifications/{notificationId}"),
}
"""Paths that the first release had, and that follow from the contract."""


def contract() -> set[tuple[str, str]]:
    listed = methods_of(all_services())
    return {(binding.verb, camel(binding.path)) for method in listed for binding in method.bindings}


@pytest.fixture
async def groups() -> AsyncIterator[tuple[Group, ...]]:
    async with looked_at() as groups:
        yield groups


@pytest.fixture
def api(groups: tuple[Group, ...]) -> dict[str, Any]:
    return document(groups, VERSION)


def operations(groups: tuple[Group, ...]) -> list[Operation]:
    return [operation for group in groups for operation in group.operations]


def documented(api: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    }


def everything_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from everything_in(inner)


def test_the_whole_contract_is_documented_and_nothing_else(api: dict[str, Any]) -> None:
    assert set(documented(api)) == BY_HAND | contract()
    assert contract() >= OLD


def test_every_row_of_the_table_is_documented(api: dict[str, Any], groups: tuple[Group, ...]) -> None:
    assert {(row.method, row.path) for row in operations(groups)} == set(documented(api))


def test_its_head_is_that_of_openapi_3_1(api: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d", api["openapi"])
    assert {"title", "version"} <= set(api["info"])
    assert set(api) <= {"openapi", "info", "servers", "tags", "paths", "components"}


def test_every_reference_leads_somewhere(api: dict[str, Any]) -> None:
    references = {value["$ref"] for value in everything_in(api) if "$ref" in value}
    assert references
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in api["components"]["schemas"]


def test_operation_ids_are_unique(api: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in documented(api).values()]
    assert len(set(names)) == len(names)


def test_tags_are_declared(api: dict[str, Any]) -> None:
    declared = {tag["name"] for tag in api["tags"]}
    assert {tag for operation in documented(api).values() for tag in operation["tags"]} == declared


def test_parameters_of_paths_are_declared_and_required(api: dict[str, Any]) -> None:
    for (_, path), operation in documented(api).items():
        declared = [one for one in operation.get("parameters", ()) if one["in"] == "path"]
        assert [one["name"] for one in declared] == re.findall(r"{(\w+)}", path)
        assert all(one["required"] for one in declared)


def test_every_parameter_has_a_schema_that_needs_no_null(api: dict[str, Any]) -> None:
    for operation in documented(api).values():
        for parameter in operation.get("parameters", ()):
            assert parameter["schema"]
            assert {"type": "null"} not in parameter["schema"].get("anyOf", ())


def test_optional_parameters_are_documented_with_their_limits(api: dict[str, Any]) -> None:
    parameters = api["paths"]["/api/chat/messages/{conversationId}"]["get"]["parameters"]
    limit = next(one for one in parameters if one["name"] == "limit")
    assert (limit["required"], limit["schema"]["minimum"], limit["schema"]["maximum"]) == (False, 1, 200)
    before = next(one for one in parameters if one["name"] == "beforeSeq")
    assert (before["schema"]["type"], before["schema"]["minimum"]) == ("integer", 1)


def test_bodies_are_documented_where_they_are_read(api: dict[str, Any], groups: tuple[Group, ...]) -> None:
    for row in operations(groups):
        assert ("requestBody" in documented(api)[row.method, row.path]) == (row.body is not None)


def test_every_answer_is_described(api: dict[str, Any], groups: tuple[Group, ...]) -> None:
    for row in operations(groups):
        responses = documented(api)[row.method, row.path]["responses"]
        assert set(responses) == {str(status) for status in {row.status, *failures_of(row)}}
        assert all(response["description"] for response in responses.values())


def test_only_what_takes_no_token_says_so(api: dict[str, Any], groups: tuple[Group, ...]) -> None:
    schemes = api["components"]["securitySchemes"]
    for row in operations(groups):
        operation = documented(api)[row.method, row.path]
        assert operation["security"] == ([] if row.public else [{name: [] for name in schemes}])
        assert ("401" in operation["responses"]) or row.public


def test_failures_have_the_body_that_all_failures_have(api: dict[str, Any]) -> None:
    for operation in documented(api).values():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert response["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Failure"}


def test_statuses_that_are_documented_can_happen(groups: tuple[Group, ...]) -> None:
    possible = {*STATUSES.values(), 413, 415}
    assert {status for row in operations(groups) for status in failures_of(row)} <= possible
