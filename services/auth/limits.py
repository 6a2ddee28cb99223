"""How often sign-in may fail: by account and by address.

Each limit is the generic cell rate algorithm (ITU-T I.371, annex A.1; https://brandur.org/rate-limiting): one
instant a key, the theoretical arrival time, says both whether an attempt conforms and when the next one would. A
window's worth of attempts may come at once; after that they come back one by one. Every attempt counts when it
begins, so that attempts at once can't slip past, and a successful one is given back; so only failures count.

The counts are shared in Redis. While that can't be reached, each replica counts for itself: nobody is locked out,
and nobody has unlimited attempts.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Protocol

from chassis.errors import ResourceExhaustedError
from chassis.process.logs import logger
from services.auth import metrics
from services.auth.domain import email_key

_MAX_LOCAL_KEYS: Final = 100_000
_SKIP_SECONDS: Final = 1.0  # how long the shared counts are not asked after they failed to answer
_IPV6_SITE_BITS: Final = 64  # one subscriber usually has a whole /64

_log = logger("limits")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `attempts` at once, and as many in every `window_seconds`."""

    attempts: int
    window_seconds: float

    @property
    def interval_seconds(self) -> float:
        """After how long one attempt comes back."""
        return self.window_seconds / self.attempts


def conform(arrival: float, now: float, rate: Rate) -> tuple[float, float]:
    """Decides one attempt.

    Args:
        arrival: the theoretical arrival time so far, in s; anything in the past where there is none.
        now: in s.
        rate: the limit.

    Returns:
        The theoretical arrival time after it, and after how many seconds an attempt would conform: 0 if it did.
    """
    next_arrival = max(arrival, now) + rate.interval_seconds
    wait = next_arrival - rate.window_seconds - now
    return (arrival, wait) if wait > _TOLERANCE_SECONDS else (next_arrival, 0.0)


_TOLERANCE_SECONDS: Final = 1e-6  # sums of intervals are not exact


class LimiterUnavailableError(Exception):
    """The shared counts can't be reached."""


class Limiter(Protocol):
    """Counts attempts."""

    async def attempt(self, key: str, rate: Rate) -> float:
        """Counts an attempt if it conforms; else says after how many seconds one would."""

    async def give_back(self, key: str, rate: Rate) -> None:
        """Takes one attempt back."""


class LocalLimiter:
    """Counts in this process, for a bounded number of keys; the least recently used are forgotten first."""

    def __init__(self, now: Callable[[], float] = time.monotonic, max_keys: int = _MAX_LOCAL_KEYS) -> None:
        self._now = now
        self._max_keys = max_keys
        self._arrivals: OrderedDict[str, float] = OrderedDict()

    async def attempt(self, key: str, rate: Rate) -> float:
        """See `Limiter.attempt`."""
        arrival, wait = conform(self._arrivals.pop(key, -math.inf), self._now(), rate)
        self._arrivals[key] = arrival
        if len(self._arrivals) > self._max_keys:
            self._arrivals.popitem(last=False)
        return wait

    async def give_back(self, key: str, rate: Rate) -> None:
        """See `Limiter.give_back`."""
        if key in self._arrivals:
            self._arrivals[key] -= rate.interval_seconds


class FallbackLimiter:
    """Counts with the shared limiter, and with the local one while that can't be reached."""

    def __init__(self, shared: Limiter, local: Limiter, now: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._local = local
        self._now = now
        self._ask_again_at = -math.inf

    async def attempt(self, key: str, rate: Rate) -> float:
        """See `Limiter.attempt`."""
        if self._now() >= self._ask_again_at:
            try:
                return await self._shared.attempt(key, rate)
            except LimiterUnavailableError:
                self._stop_asking()
        metrics.LOCAL_LIMITS.inc()
        return await self._local.attempt(key, rate)

    async def give_back(self, key: str, rate: Rate) -> None:
        """See `Limiter.give_back`."""
        if self._now() >= self._ask_again_at:
            try:
                await self._shared.give_back(key, rate)
            except LimiterUnavailableError:
                self._stop_asking()
        await self._local.give_back(key, rate)

    def _stop_asking(self) -> None:
        self._ask_again_at = self._now() + _SKIP_SECONDS
        _log.warning("shared_limits_unreachable")


class SignInLimits:
    """The two limits of sign-in.

    Args:
        limiter: counts.
        by_account: the limit of one e-mail address, whether or not there is such an account.
        by_address: the limit of one network address.
    """

    def __init__(self, limiter: Limiter, by_account: Rate, by_address: Rate) -> None:
        self._limiter = limiter
        self._by_account = by_account
        self._by_address = by_address

    async def admit(self, email: str, address: str) -> None:
        """Counts an attempt. Raises ResourceExhaustedError (TOO_MANY_ATTEMPTS) past a limit."""
        wait = max(
            await self._limiter.attempt(_address_key(address), self._by_address),
            await self._limiter.attempt(_account_key(email), self._by_account),
        )
        if wait > 0:
            raise ResourceExhaustedError(
                "TOO_MANY_ATTEMPTS", "too many attempts; try again later", retry_after_ms=math.ceil(wait * 1_000)
            )

    async def give_back(self, email: str, address: str) -> None:
        """Takes a successful attempt back."""
        await self._limiter.give_back(_address_key(address), self._by_address)
        await self._limiter.give_back(_account_key(email), self._by_account)


def _account_key(email: str) -> str:
    return "account:" + _digest(email_key(email))


def _address_key(address: str) -> str:
    return "address:" + _digest(subscriber_of(address))


def _digest(text: str) -> str:
    """Keeps people's addresses out of Redis."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def subscriber_of(address: str) -> str:
    """The network that one subscriber has: an IPv4 address, or an IPv6 /64; empty for what is no address."""
    try:
        parsed = ipaddress.ip_address(address.strip().partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.ip_network((parsed, _IPV6_SITE_BITS), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)
