"""Encrypts secrets at rest with AES-256-GCM (NIST SP 800-38D) under the key-encryption key.

Each sealed value is bound to a context, such as "signing-key/<id>", as additional data: it does not open if it is
copied to another place in the database. Nonces are random; a key seals far fewer than 2^32 values.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12


class UnsealError(Exception):
    """A value was sealed under another key or for another context, or was modified."""


class Sealer:
    """Seals values under a key of 32 bytes, and opens them.

    Args:
        key: the key that seals.
        previous: keys that only open, during a change of the key.
    """

    def __init__(self, key: bytes, previous: Iterable[bytes] = ()) -> None:
        self._cipher = AESGCM(key)
        self._previous = [AESGCM(each) for each in previous]

    def seal(self, value: bytes, context: str) -> bytes:
        """Encrypts a value for a context."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypts a value of a context. Raises UnsealError."""
        for cipher in (self._cipher, *self._previous):
            value = _opened(cipher, sealed, context)
            if value is not None:
                return value
        raise UnsealError(f"{context} can't be opened with this key-encryption key")

    def renew(self, sealed: bytes, context: str) -> bytes | None:
        """Returns the value resealed under the key; None if it is sealed under it already. Raises UnsealError."""
        if _opened(self._cipher, sealed, context) is not None:
            return None
        return self.seal(self.open(sealed, context), context)


def _opened(cipher: AESGCM, sealed: bytes, context: str) -> bytes | None:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError):
        return None
