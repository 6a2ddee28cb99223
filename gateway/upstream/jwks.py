"""Keeps the keys fresh that tokens are verified with: upgrades are answered at once, and can't wait for them.

Auth publishes a key before it signs with it, so that looking every now and then is enough. Where a token has a key
that isn't known, the keys are looked at again soon, for the client's next try.
"""

from __future__ import annotations

import asyncio
from typing import Final

from chassis.errors import AppError, UnauthenticatedError
from chassis.identity import Identity, TokenVerifier
from chassis.process.logs import logger

_FRESH_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 1.0
_TRIES_BETWEEN_WARNINGS: Final = 2  # a try retries for up to 10 s while auth is unavailable

_log = logger("keys")


class JwksCache:
    """Verifies tokens without waiting."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier
        self._doubt = asyncio.Event()
        self._ready = asyncio.Event()

    def verify(self, token: str) -> Identity:
        """Returns whose token it is. Raises UnauthenticatedError, or UnavailableError before there are keys."""
        try:
            return self._verifier.verify_cached(token)
        except UnauthenticatedError as error:
            if error.reason == "TOKEN_INVALID":
                self._doubt.set()
            raise

    async def wait_ready(self, timeout_seconds: float) -> None:
        """Waits for the first keys, but not for long: upgrades are told to try again while there are none."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._ready.wait()
        except TimeoutError:
            _log.warning("no_keys_yet")

    async def run(self) -> None:
        """Fetches the keys now and again, for ever; to be supervised."""
        failures = 0
        while True:
            try:
                await self._verifier.refresh()
            except AppError as error:
                failures += 1
                if failures % _TRIES_BETWEEN_WARNINGS == 0:  # a look at auth that starts, too, is no news
                    _log.warning("keys_unavailable", reason=error.reason, failures=failures)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            failures = 0
            self._doubt.clear()
            self._ready.set()
            try:
                async with asyncio.timeout(_FRESH_SECONDS):
                    await self._doubt.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_RETRY_SECONDS)
