"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under the key-encryption key.

Each sealed value is bound to a context, such as "signing-key/<id>", as additional data: a sealed value copied to
another place in the database does not open there. Nonces are random; a key seals far fewer than 2^32 values.
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12


class UnsealError(Exception):
    """A value was sealed under another key or for another context, or was changed."""


class Sealer:
    """Seals and opens values under one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, value: bytes, context: str) -> bytes:
        """Encrypts a value for a context."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypts a value of a context. Raises UnsealError."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise UnsealError(f"{context} can't be opened with this key-encryption key") from None
