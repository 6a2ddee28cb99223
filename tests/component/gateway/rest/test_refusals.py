"""What every operation refuses, table-driven: the table of operations itself says what there is to try."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.component.gateway.rest.harness import Harness, problem_of

MALFORMED = {
    "empty": b"",
    "no JSON": b"content=hello",
    "cut short": b'{"conversationId": "x"',
    "a list": b"[]",
    "a text": b'"x"',
    "two objects": b"{}{}",
    "not UTF-8": b'{"email": "\xff\xfe"}',
    "half a character": b'{"email": "\\ud800"}',
    "very deep": b'{"a":' * 10_000,
}

BAD_BODIES: list[tuple[tuple[str, str], dict[str, Any], set[str]]] = [
    (("POST", "/api/auth/login"), {}, {"email", "password"}),
    (("POST", "/api/auth/login"), {"email": "a@b.example", "password": ""}, {"password"}),
    (("POST", "/api/auth/login"), {"email": "", "password": "x"}, {"email"}),
    (("POST", "/api/auth/login"), {"email": "a" * 321, "password": "x" * 1_025}, {"email", "password"}),
    (("POST", "/api/auth/login"), {"email": ["a@b.example"], "password": {"$ne": ""}}, {"email", "password"}),
    (("POST", "/api/auth/refresh"), {}, {"refreshToken"}),
    (("POST", "/api/auth/refresh"), {"refreshToken": 7}, {"refreshToken"}),
    (("POST", "/api/auth/exchange"), {"token": None}, {"token"}),
    (("POST", "/api/users"), {"name": "", "role": "king"}, {"name", "role"}),
    (("POST", "/api/users"), {"name": "x" * 101, "role": "bot", "userId": ""}, {"name", "userId"}),
    (("POST", "/api/users"), {"name": "x", "role": "bot", "teams": "east"}, {"teams"}),
    (("POST", "/api/users"), {"name": "x", "role": "bot", "teams": [""]}, {"teams"}),
    (("POST", "/api/users"), {"name": "x", "role": "bot", "password": "short"}, {"password"}),
    (("POST", "/api/users"), {"name": "x", "role": "bot", "userId": "a b"}, {"userId"}),
    (("PATCH", "/api/users/someone"), {"disabled": "yes"}, {"disabled"}),
    (("PATCH", "/api/users/someone"), {"role": ""}, {"role"}),
    (("POST", "/api/chat/direct/create"), {}, {"userId"}),
    (("POST", "/api/chat/direct/create"), {"userId": "x" * 65}, {"userId"}),
    (("POST", "/api/chat/direct/create"), {"userId": "a b"}, {"userId"}),
    (("POST", "/api/chat/mark-read"), {}, {"conversationId"}),
    (("POST", "/api/chat/send"), {}, {"conversationId", "content"}),
]

BAD_QUERIES = [
    ("/api/users?pageSize=-1", {"pageSize"}),
    ("/api/users?pageSize=1.5", {"pageSize"}),
    ("/api/users?pageSize=many&role=king", {"pageSize", "role"}),
    ("/api/users?pageSize=" + "9" * 5_000, {"pageSize"}),
    ("/api/notifications?page=" + "9" * 5_000, {"page"}),
    ("/api/users?role=ADMIN", {"role"}),
    ("/api/users?query=" + "x" * 201, {"query"}),
    ("/api/chat/conversations?archived=maybe", {"archived"}),
    ("/api/chat/conversations?kind=party", {"kind"}),
    ("/api/chat/conversations?updatedAfter=yesterday", {"updatedAfter"}),
    ("/api/chat/conversations?updatedAfter=2026-01-01T00:00:00", {"updatedAfter"}),
    ("/api/chat/conversations?pageToken=made-up", {"pageToken"}),
    ("/api/chat/direct?pageSize=-1", {"pageSize"}),
    ("/api/chat/project?pageSize=x", {"pageSize"}),
]


@pytest.fixture(scope="session")
async def documented(house: Harness) -> list[tuple[str, str, dict[str, Any]]]:
    """Every operation: method, path with its parameters filled in, and what the document says of it."""
    api = (await house.http.get("/openapi.json")).json()
    return [
        (method.upper(), re.sub(r"{\w+}", "x", path), operation)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]


async def test_nothing_but_the_public_answers_without_a_token(
    house: Harness, documented: list[tuple[str, str, dict[str, Any]]]
) -> None:
    for method, path, operation in documented:
        response = await house.http.request(method, path)
        if operation["security"]:
            assert problem_of(response) == (401, "UNAUTHENTICATED", "TOKEN_MISSING"), path
            assert response.headers["www-authenticate"] == 'Bearer realm="parley"'
        else:
            assert response.status_code != 401, path


async def test_bodies_are_json_or_refused(
    house: Harness, organization: str, documented: list[tuple[str, str, dict[str, Any]]]
) -> None:
    admin = await house.join(organization, "admin")
    for method, path, operation in documented:
        if "requestBody" in operation:
            response = await admin.request(method, path, content=b"{}", headers={"content-type": "text/plain"})
            assert problem_of(response) == (415, "INVALID_ARGUMENT", "UNSUPPORTED_MEDIA_TYPE"), path


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_bodies_are_refused(
    house: Harness, organization: str, documented: list[tuple[str, str, dict[str, Any]]], body: bytes
) -> None:
    admin = await house.join(organization, "admin")
    for method, path, operation in documented:
        if "requestBody" in operation:
            response = await admin.request(method, path, content=body, headers={"content-type": "application/json"})
            assert problem_of(response) == (400, "INVALID_ARGUMENT", "MALFORMED_JSON"), path


@pytest.mark.parametrize(("target", "body", "bad"), BAD_BODIES)
async def test_bad_fields_are_all_named(
    house: Harness, organization: str, target: tuple[str, str], body: dict[str, Any], bad: set[str]
) -> None:
    admin = await house.join(organization, "admin")
    response = await admin.request(*target, json=body)
    assert problem_of(response) == (400, "INVALID_ARGUMENT", "INVALID_FIELDS")
    assert set(response.json()["error"]["fields"]) == bad


@pytest.mark.parametrize(("path", "bad"), BAD_QUERIES)
async def test_bad_parameters_are_all_named(house: Harness, organization: str, path: str, bad: set[str]) -> None:
    admin = await house.join(organization, "admin")
    response = await admin.request("GET", path)
    assert problem_of(response)[:2] == (400, "INVALID_ARGUMENT")
    assert set(response.json()["error"]["fields"]) == bad


@pytest.mark.parametrize("conversation_id", ["x", "A" * 22, "A" * 65, "%F0%9F%91%8B", "%00", "a%20b", "..%2e"])
async def test_an_id_that_names_nothing_is_never_a_fault_of_ours(
    house: Harness, organization: str, conversation_id: str
) -> None:
    admin = await house.join(organization, "admin")
    for path in (f"/api/chat/conversations/{conversation_id}", f"/api/users/{conversation_id}"):
        response = await admin.request("GET", path)
        assert response.status_code in {400, 404}, response.text
        assert response.json()["error"]["code"] in {"INVALID_ARGUMENT", "NOT_FOUND"}
