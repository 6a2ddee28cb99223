"""The secrets of a local stack: generated once and stored in its data directory with mode 0600."""

import base64
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.errors import StackError
from deploy.local.private_file import write_private


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets that authenticate a stack's processes to each other.

    `key_encryption_key` is 32 bytes in unpadded base64url; auth encrypts its signing keys with it.
    """

    service_secrets: dict[str, str]
    key_encryption_key: str

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self.service_secrets))})"


def load_or_create(path: Path, names: Iterable[str]) -> Credentials:
    """Reads the secrets, and generates those missing for `names`.

    Raises:
        StackError: the file is damaged. It is not replaced: without its key, the signing keys in the database are lost.
    """
    stored = _read(path) if path.exists() else Credentials({}, _random_key())
    missing = [name for name in names if name not in stored.service_secrets]
    complete = Credentials(
        {**stored.service_secrets, **{name: secrets.token_urlsafe(32) for name in missing}}, stored.key_encryption_key
    )
    _write(path, complete)
    return complete


def load(path: Path) -> Credentials:
    """Reads the secrets of a stack that has run before.

    Raises:
        StackError: the file is missing or damaged.
    """
    if not path.exists():
        raise StackError(f"{path} does not exist: start the stack first (make run).")
    return _read(path)


def _read(path: Path) -> Credentials:
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        return Credentials(dict(document["service_secrets"]), str(document["key_encryption_key"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} is damaged. Restore it, or run `make clean-data`, which deletes all data.") from error


def _write(path: Path, credentials: Credentials) -> None:
    document = {
        "service_secrets": credentials.service_secrets,
        "key_encryption_key": credentials.key_encryption_key,
    }
    write_private(path, json.dumps(document, indent=2))


def _random_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
