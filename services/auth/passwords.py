"""Passwords: argon2id (RFC 9106) off the event loop, a bounded number at a time.

Verification costs the same whether or not there is an account: for an unknown one it runs against a hash of a
password that nobody knows.
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

MIN_PASSWORD_BYTES: Final = 8
MAX_PASSWORD_BYTES: Final = 1_024
_BUSY_RETRY_MS: Final = 1_000

T = TypeVar("T")


class Passwords:
    """Hashes and verifies passwords.

    Args:
        hasher: holds the cost parameters that new hashes get.
        workers: how many run at once; each takes the hasher's memory and a core (argon2 lets go of the GIL).
        queue: how many may wait beyond those; more are refused.
    """

    def __init__(self, hasher: PasswordHasher, *, workers: int, queue: int) -> None:
        self._hasher = hasher
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="password")
        self._capacity = workers + queue
        self._pending = 0
        self._nobody = hasher.hash(secrets.token_urlsafe(32))

    def close(self) -> None:
        """Lets go of the threads; what waits is dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """The hash to store, parameters and salt included. Raises ResourceExhaustedError (OVERLOADED)."""
        return await self._run(lambda: self._hasher.hash(password))

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether a password is that of a stored hash; with None it isn't, at the same cost.

        Raises:
            ResourceExhaustedError: OVERLOADED.
        """
        matched = await self._run(lambda: self._verify(password, stored or self._nobody))
        return matched and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than new ones get."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._pending >= self._capacity:
            raise ResourceExhaustedError("OVERLOADED", "too many sign-ins at once", retry_after_ms=_BUSY_RETRY_MS)
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._pending -= 1


def make_hasher(time_cost: int, memory_kib: int, parallelism: int) -> PasswordHasher:
    """A hasher with these cost parameters; the defaults of the settings are RFC 9106's second recommendation."""
    return PasswordHasher(
        time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism, hash_len=32, salt_len=16, type=Type.ID
    )
