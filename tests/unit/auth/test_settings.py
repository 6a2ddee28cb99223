"""Tests of the settings: invalid ones prevent the start, and secrets are not shown."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from services.auth.settings import Settings, decode_key

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
REQUIRED: dict[str, Any] = {
    "mongodb_uri": "mongodb://127.0.0.1/",
    "redis_url": "redis://127.0.0.1/",
    "key_encryption_key": KEY,
    "service_credentials": {
        "chat": {"secret": "a-long-enough-secret", "scopes": ["directory.read"], "organizations": ["*"]}
    },
}


def settings(**overrides: Any) -> Settings:
    return Settings.model_validate(REQUIRED | overrides)


def test_what_is_left_out_has_sensible_defaults() -> None:
    made = settings()
    assert (made.access_token_seconds, made.session_seconds, made.mongodb_database) == (900, 2_592_000, "parley_auth")
    assert (made.password_time_cost, made.password_memory_kib, made.password_parallelism) == (3, 65_536, 4)


@pytest.mark.parametrize("text", [KEY, KEY.rstrip("=")])
def test_a_key_may_be_padded_or_not(text: str) -> None:
    assert decode_key(text) == bytes(range(32))


@pytest.mark.parametrize(
    "overrides",
    [
        {"key_encryption_key": "short"},
        {"key_encryption_key": KEY[:-4]},
        {"key_encryption_key": "!" * 43},
        {"service_credentials": {"chat": {"secret": "short"}}},
        {"service_credentials": {"chat": {"secret": "a-long-enough-secret", "scope": []}}},
        {"service_credentials": {"Chat!": {"secret": "a-long-enough-secret"}}},
        {"service_credentials": {"chat": {"secret": "a-long-enough-secret", "scopes": ["Not A Scope"]}}},
        {"service_credentials": []},
        {"key_rotation_seconds": 100, "key_publication_seconds": 100},
        {"key_check_seconds": 60, "key_publication_seconds": 60},
        {"access_token_seconds": 0},
        {"mongodb_database": "no/slash"},
        {"listen": "nonsense"},
    ],
)
def test_what_can_not_work_is_refused(overrides: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**overrides)


def test_secrets_do_not_show() -> None:
    shown = repr(settings())
    assert KEY not in shown
    assert "a-long-enough-secret" not in shown


def test_a_process_with_wrong_variables_names_each_and_ends() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PARLEY_")}
    environment |= {
        "PARLEY_KEY_ENCRYPTION_KEY": "short",
        "PARLEY_SERVICE_CREDENTIALS": json.dumps({"chat": {"secret": "tiny"}}),
    }
    ended = subprocess.run(  # a module of this repository
        [sys.executable, "-m", "services.auth"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    for name in ("KEY_ENCRYPTION_KEY", "SERVICE_CREDENTIALS_CHAT_SECRET", "MONGODB_URI", "REDIS_URL"):
        assert f"PARLEY_{name}: " in ended.stderr
    assert "tiny" not in ended.stderr
