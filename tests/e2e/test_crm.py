"""The commands and the example of docs/crm.md, run against the stack."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from deploy.local.stack import LocalStack
from tests.e2e.test_command_line import parley

PAGE = Path(__file__).parents[2] / "docs" / "crm.md"
SECRET = "a-shared-secret-of-at-least-32-bytes"
ISSUER = "https://old.example"


async def test_the_example_prints_what_the_page_says(stack: LocalStack, tmp_path: Path) -> None:
    text = await asyncio.to_thread(PAGE.read_text)
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (expected,) = re.findall(r"^this prints `(.*)`\.$", text, re.MULTILINE)
    assert "127.0.0.1:8080" in example
    program = tmp_path / "example.py"
    await asyncio.to_thread(program.write_text, example.replace("127.0.0.1:8080", stack.grpc_target))
    secret = stack.credentials.service_secrets["crm"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(program)),
        env={**os.environ, "CRM_SECRET": secret},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert output.decode().strip() == expected, errors.decode()


@pytest.fixture
async def organization(stack: LocalStack) -> str:
    """An organization of one test."""
    name = f"crm-{secrets.token_hex(4)}"
    assert (await parley(stack, "org", "add", name))[0] == 0
    return name


def token(issuer: str, secret: str = SECRET, **claims: Any) -> str:
    """Returns a CRM's token; a claim of None is left out."""
    body = {"iss": issuer, "aud": "parley", "exp": int(time.time()) + 300, "uid": 7, "name": "Ann", "kind": "sales"}
    body = {name: value for name, value in (body | claims).items() if value is not None}
    return jwt.encode({"alg": "HS256"}, body, OctKey.import_key(secret))


async def exchange(stack: LocalStack, text: str) -> tuple[int, dict[str, Any]]:
    """Exchanges a token as a front-end does."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        response = await http.post(f"{stack.url}/api/auth/exchange", json={"token": text})
    return response.status_code, response.json()


async def test_an_issuer_is_added_used_and_removed(
    stack: LocalStack, organization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = f"{ISSUER}/{organization}"
    monkeypatch.setenv("PARLEY_ISSUER_SECRET", SECRET)
    add = ("org", "issuer", "add", organization, "--issuer", issuer, "--audience", "parley", "--algorithm", "HS256")
    status, printed = await parley(stack, *add, "--claim", "user_id=uid", "--claim", "role=kind")
    assert status == 0, printed
    assert issuer in (await parley(stack, "org", "issuer", "list", organization))[1].replace("\n", "")

    status, answer = await exchange(stack, token(issuer))
    assert (status, answer["user"]["userId"]) == (200, "7"), answer
    for claims, cause in (
        ({"exp": int(time.time()) - 3_600}, "has expired"),
        ({"exp": None}, "no claim exp"),
        ({"aud": "another"}, "claim aud"),
        ({"secret": "another-secret-of-at-least-32-bytes!"}, "signature"),
    ):
        status, answer = await exchange(stack, token(issuer, **claims))
        assert (status, answer["error"]["reason"]) == (401, "INVALID_TOKEN")
        assert cause in answer["error"]["message"], answer

    assert (await parley(stack, "org", "issuer", "remove", organization, "--issuer", issuer))[0] == 0
    assert (await exchange(stack, token(issuer)))[0] == 401
    status, printed = await parley(stack, "org", "issuer", "remove", organization, "--issuer", issuer)
    assert (status, "accepts no tokens of" in printed) == (1, True), printed


async def test_a_wrong_issuer_is_explained(stack: LocalStack, organization: str) -> None:
    add = ("org", "issuer", "add", organization, "--issuer", "https://x.example", "--audience", "parley", "--algorithm")
    for arguments, cause in (
        (("RS256",), "jwksUrl"),
        (("RS256", "--jwks-url", "http://crm.example/jwks"), "https"),
        (("none", "--jwks-url", "https://crm.example/jwks"), "algorithm"),
        (("RS256", "--jwks-url", "https://crm.example/jwks", "--claim", "colour=c"), "use NAME=CLAIM"),
    ):
        status, printed = await parley(stack, *add, *arguments)
        assert (status, cause in printed) == (1, True), printed
