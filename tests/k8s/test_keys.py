"""The generated Secrets: complete, distinct, and never printed to a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from deploy.k8s import keys
from services.auth.settings import ServiceCredential
from tests.k8s.validation import problems

_STORES = {keys.MONGODB_URI: "mongodb://{service}:x@mongodb/", keys.REDIS_URL: "redis://valkey:6379/0"}


def _secrets() -> dict[str, dict[str, str]]:
    secrets = keys.manifests(_STORES[keys.MONGODB_URI], _STORES[keys.REDIS_URL])
    return {item["metadata"]["name"]: item["stringData"] for item in secrets["items"]}


def test_auth_knows_every_caller_s_secret() -> None:
    secrets = _secrets()
    known = json.loads(secrets["auth-credentials"]["PARLEY_SERVICE_CREDENTIALS"])

    assert {"chat", "presence", "notify", "gateway", "operator", "crm"} == known.keys()
    for name in ("chat", "presence", "notify", "gateway"):
        assert secrets[f"{name}-credentials"] == {"PARLEY_SERVICE_SECRET": known[name]["secret"]}
    for name in ("operator", "crm"):
        assert secrets[f"{name}-credentials"] == {"secret": known[name]["secret"]}
    assert all(ServiceCredential.model_validate(credential).serves_all for credential in known.values())


def test_all_secrets_differ_also_between_runs() -> None:
    generated = [credential["secret"] for _ in range(2) for credential in _credentials().values()]

    assert len(set(generated)) == len(generated)


def _credentials() -> dict[str, Any]:
    credentials: dict[str, Any] = json.loads(_secrets()["auth-credentials"]["PARLEY_SERVICE_CREDENTIALS"])
    return credentials


def test_each_service_has_a_user_of_its_own_in_the_stores() -> None:
    secrets = _secrets()

    assert secrets["chat-stores"]["mongodb-uri"] == "mongodb://chat:x@mongodb/"
    assert secrets["notify-stores"]["mongodb-uri"] == "mongodb://notify:x@mongodb/"
    assert secrets["operator-stores"] == {"mongodb-uri": "mongodb://operator:x@mongodb/"}
    assert "gateway-stores" not in secrets


def test_the_secrets_are_valid_manifests() -> None:
    secrets = keys.manifests(_STORES[keys.MONGODB_URI], _STORES[keys.REDIS_URL])

    assert [problem for item in secrets["items"] for problem in problems(item)] == []


def _run(stdout: int, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.k8s.keys"]
    return subprocess.run(  # noqa: S603  # the project's own program
        command, env={**os.environ, **environment}, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )


def test_it_prints_what_kubectl_reads() -> None:
    process = _run(subprocess.PIPE, **_STORES)

    assert process.returncode == 0
    assert json.loads(process.stdout)["kind"] == "List"


@pytest.mark.parametrize("missing", sorted(_STORES))
def test_it_requires_the_stores_addresses(missing: str) -> None:
    process = _run(subprocess.PIPE, **{**_STORES, missing: ""})

    assert (process.returncode, process.stdout) == (2, "")
    assert missing in process.stderr


def test_it_prints_no_secrets_to_a_terminal() -> None:
    ours, theirs = pty.openpty()
    try:
        process = _run(theirs, **_STORES)
    finally:
        os.close(theirs)
        os.close(ours)

    assert process.returncode == 2
    assert "pipe them" in process.stderr
