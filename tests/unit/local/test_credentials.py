"""The secrets of a stack are generated once and stay private."""

import base64
import stat
from pathlib import Path

import pytest

from deploy.local.credentials import Credentials, load, load_or_create
from deploy.local.errors import StackError


def test_secrets_are_made_once(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = load_or_create(path, ["chat", "gateway"])
    assert load_or_create(path, ["chat", "gateway"]) == first == load(path)
    assert first.service_secrets["chat"] != first.service_secrets["gateway"]
    assert len(base64.urlsafe_b64decode(first.key_encryption_key + "=")) == 32


def test_a_new_service_gets_a_secret_and_the_others_keep_theirs(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    before = load_or_create(path, ["chat"])
    after = load_or_create(path, ["chat", "crm"])
    assert after.service_secrets["chat"] == before.service_secrets["chat"]
    assert after.key_encryption_key == before.key_encryption_key
    assert after.service_secrets["crm"]


def test_only_the_owner_may_read_them_even_if_the_file_was_open_to_others(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    load_or_create(path, ["chat"])
    path.chmod(0o644)
    load_or_create(path, ["chat"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secrets.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"service_secrets": 3, "key_encryption_key": "x"}'])
def test_a_damaged_file_is_kept_and_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(text)
    with pytest.raises(StackError, match="is damaged"):
        load_or_create(path, ["chat"])
    assert path.read_text() == text


def test_secrets_are_not_shown_when_printed() -> None:
    assert "s3cret" not in repr(Credentials({"chat": "s3cret"}, "s3cret"))


def test_a_stack_that_never_ran_has_none(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="start the stack first"):
        load(tmp_path / "secrets.json")
