"""The first secrets: what each process needs, its own for each, and never shown by accident."""

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


def _made() -> dict[str, dict[str, str]]:
    made = keys.manifests(_STORES[keys.MONGODB_URI], _STORES[keys.REDIS_URL])
    return {item["metadata"]["name"]: item["stringData"] for item in made["items"]}


def test_auth_knows_the_secret_that_each_shows_it() -> None:
    made = _made()
    known = json.loads(made["auth-credentials"]["PARLEY_SERVICE_CREDENTIALS"])

    assert {"chat", "presence", "notify", "gateway", "operator", "crm"} == known.keys()
    for name in ("chat", "presence", "notify", "gateway"):
        assert made[f"{name}-credentials"] == {"PARLEY_SERVICE_SECRET": known[name]["secret"]}
    for name in ("operator", "crm"):
        assert made[f"{name}-credentials"] == {"secret": known[name]["secret"]}
    assert all(ServiceCredential.model_validate(credential).serves_all for credential in known.values())


def test_no_two_secrets_are_alike_and_none_is_made_twice() -> None:
    shown = [credential["secret"] for _ in range(2) for credential in _credentials().values()]

    assert len(set(shown)) == len(shown)


def _credentials() -> dict[str, Any]:
    credentials: dict[str, Any] = json.loads(_made()["auth-credentials"]["PARLEY_SERVICE_CREDENTIALS"])
    return credentials


def test_each_service_has_a_user_of_its_own_in_the_stores() -> None:
    made = _made()

    assert made["chat-stores"]["mongodb-uri"] == "mongodb://chat:x@mongodb/"
    assert made["notify-stores"]["mongodb-uri"] == "mongodb://notify:x@mongodb/"
    assert made["operator-stores"] == {"mongodb-uri": "mongodb://operator:x@mongodb/"}
    assert "gateway-stores" not in made


def test_what_is_made_is_valid() -> None:
    made = keys.manifests(_STORES[keys.MONGODB_URI], _STORES[keys.REDIS_URL])

    assert [problem for item in made["items"] for problem in problems(item)] == []


def _run(stdout: int, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.k8s.keys"]
    return subprocess.run(  # noqa: S603  # our own program
        command, env={**os.environ, **environment}, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )


def test_it_prints_what_kubectl_reads() -> None:
    done = _run(subprocess.PIPE, **_STORES)

    assert done.returncode == 0
    assert json.loads(done.stdout)["kind"] == "List"


@pytest.mark.parametrize("missing", sorted(_STORES))
def test_it_asks_where_the_stores_are(missing: str) -> None:
    done = _run(subprocess.PIPE, **{**_STORES, missing: ""})

    assert (done.returncode, done.stdout) == (2, "")
    assert missing in done.stderr


def test_it_shows_secrets_to_nobody_who_looks() -> None:
    ours, theirs = pty.openpty()
    try:
        done = _run(theirs, **_STORES)
    finally:
        os.close(theirs)
        os.close(ours)

    assert done.returncode == 2
    assert "pipe them" in done.stderr
