"""Whether this gateway can do its work: it asks chat, at most once a second however often it is asked itself.

It asks auth only until it holds the keys that verify tokens: afterwards people with valid tokens can connect and talk
while auth is away, and a gateway that were not ready would keep them out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from chassis.errors import UnavailableError
from gateway.upstream.clients import Upstreams

T = TypeVar("T")

NEEDED: Final = ("chat",)
"""Without presence or notify people can still talk."""
NEEDED_WITHOUT_KEYS: Final = ("auth", *NEEDED)
_REMEMBER_SECONDS: Final = 1.0
_ASK_SECONDS: Final = 1.5  # below the time that Envoy gives to a health check


class TtlCache(Generic[T]):
    """An answer that is asked for again once it is old; callers at the same time share one question.

    Args:
        seconds: for how long an answer counts; a failure is not remembered.
        ask: gets the answer.
    """

    def __init__(self, seconds: float, ask: Callable[[], Awaitable[T]]) -> None:
        self._seconds = seconds
        self._ask = ask
        self._answer: T | None = None
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def get(self) -> T:
        """The answer, fresh enough. Raises what asking raises."""
        async with self._asking:
            if self._answer is None or time.monotonic() >= self._good_until:
                self._answer = await self._ask()
                self._good_until = time.monotonic() + self._seconds
            return self._answer


class Readiness:
    """Answers /readyz.

    Args:
        upstreams: the services.
        is_stopping: whether the process is on its way out, and wants no new work.
        has_keys: whether the gateway holds the keys that verify tokens.
    """

    def __init__(
        self, upstreams: Upstreams, is_stopping: Callable[[], bool], has_keys: Callable[[], bool] = lambda: False
    ) -> None:
        self._has_keys = has_keys
        self._upstreams = upstreams
        self._is_stopping = is_stopping
        self._missing = TtlCache(_REMEMBER_SECONDS, self._ask)

    async def check(self) -> None:
        """Returns when the gateway is ready. Raises UnavailableError (NOT_READY) when it is not."""
        if self._is_stopping():
            raise UnavailableError("NOT_READY", "the gateway is stopping", retry_after_ms=1_000)
        missing = await self._missing.get()
        if missing:
            raise UnavailableError("NOT_READY", f"can't reach {' and '.join(missing)}", retry_after_ms=1_000)

    async def _ask(self) -> list[str]:
        needed = NEEDED if self._has_keys() else NEEDED_WITHOUT_KEYS
        answers = await asyncio.gather(*(self._upstreams.is_serving(name, timeout=_ASK_SECONDS) for name in needed))
        return [name for name, serving in zip(needed, answers, strict=True) if not serving]
