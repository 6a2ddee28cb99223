"""Keeps the keys that verify access tokens fresh, so that upgrades are verified without waiting.

Auth publishes a key before it signs with it, so fetching at intervals suffices. A token with an unknown key triggers a
fetch, for the client's next attempt.
"""

from __future__ import annotations

import asyncio
from typing import Final

from chassis.errors import AppError, UnauthenticatedError
from chassis.identity import Identity, TokenVerifier
from chassis.process.logs import logger

_FRESH_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 1.0
_FAILURES_BETWEEN_WARNINGS: Final = 2  # an attempt retries for up to 10 s while auth is unavailable

_log = logger("keys")


class JwksCache:
    """Verifies tokens without waiting."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier
        self._refresh_requested = asyncio.Event()
        self._ready = asyncio.Event()

    def verify(self, token: str) -> Identity:
        """Returns the identity in a token. Raises UnauthenticatedError; UnavailableError before the first fetch."""
        try:
            return self._verifier.verify_cached(token)
        except UnauthenticatedError as error:
            if error.reason == "TOKEN_INVALID":
                self._refresh_requested.set()
            raise

    async def wait_ready(self, timeout_seconds: float) -> None:
        """Waits for the first keys, for a limited time: without keys, upgrades are answered with 503."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._ready.wait()
        except TimeoutError:
            _log.warning("no_keys_yet")

    async def run(self) -> None:
        """Fetches the keys at intervals, for ever; to be supervised."""
        failures = 0
        while True:
            try:
                await self._verifier.refresh()
            except AppError as error:
                failures += 1
                if failures % _FAILURES_BETWEEN_WARNINGS == 0:  # auth may be starting too
                    _log.warning("keys_unavailable", reason=error.reason, failures=failures)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            failures = 0
            self._refresh_requested.clear()
            self._ready.set()
            try:
                async with asyncio.timeout(_FRESH_SECONDS):
                    await self._refresh_requested.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_RETRY_SECONDS)
