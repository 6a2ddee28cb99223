"""Hashes passwords with argon2id (RFC 9106) off the event loop, a bounded number at a time.

A verification costs the same for an unknown account: it runs against the hash of a random password.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from chassis.errors import ResourceExhaustedError

_BUSY_RETRY_MS: Final = 1_000

T = TypeVar("T")


class Passwords:
    """Hashes and verifies passwords.

    Args:
        hasher: has the cost parameters of new hashes.
        workers: the number of concurrent hashes; each uses the hasher's memory and a core (argon2 releases the GIL).
        queue: the most requests that may wait beyond those; more are rejected.
    """

    def __init__(self, hasher: PasswordHasher, *, workers: int, queue: int) -> None:
        self._hasher = hasher
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="password")
        self._capacity = workers + queue
        self._pending = 0
        self._unknown_account_hash = hasher.hash(secrets.token_urlsafe(32))

    def close(self) -> None:
        """Stops the threads and drops queued work."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Returns the hash to store, with parameters and salt. Raises ResourceExhaustedError (OVERLOADED)."""
        return await self._run(lambda: self._hasher.hash(password))

    async def matches(self, password: str, stored: str | None) -> bool:
        """Returns whether a password matches a stored hash; False for None, at the same cost.

        Raises:
            ResourceExhaustedError: OVERLOADED.
        """
        matched = await self._run(lambda: self._verify(password, stored or self._unknown_account_hash))
        return matched and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Returns whether a hash has other cost parameters than new ones."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._pending >= self._capacity:
            raise ResourceExhaustedError("OVERLOADED", "too many concurrent sign-ins", retry_after_ms=_BUSY_RETRY_MS)
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._pending -= 1


def make_hasher(time_cost: int, memory_kib: int, parallelism: int) -> PasswordHasher:
    """Returns a hasher with these cost parameters; the settings default to RFC 9106's second recommendation."""
    return PasswordHasher(
        time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism, hash_len=32, salt_len=16, type=Type.ID
    )
