"""Limits failed sign-ins and failed requests for services' tokens, and determines the network address of a call.

Sign-ins are limited by account and by network address, requests for services' tokens by address.

A window's worth of attempts may come at once; after that they come back one by one (see chassis.rate_limit). Every
attempt counts when it starts, so that concurrent attempts can't exceed the limit; a successful one is refunded, so that
only failures count.

The counts are shared in Redis. While Redis is unavailable, each replica counts on its own: nobody is locked out, and
nobody has unlimited attempts.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, Protocol
from urllib.parse import unquote

from chassis.errors import ResourceExhaustedError
from chassis.identity import caller_if_any
from chassis.process.logs import logger
from chassis.rate_limit import KeyedLimiter, Rate
from chassis.rpc.interceptor import Context
from services.auth import metrics
from services.auth.domain import email_key

_MAX_LOCAL_KEYS: Final = 100_000
_SKIP_SECONDS: Final = 1.0  # how long Redis is not used after a failure
_ACTING_SCOPE: Final = "users.act"
_FORWARDED: Final = "x-forwarded-for"
_IPV6_SITE_BITS: Final = 64  # a subscriber usually has a whole /64

_log = logger("limits")


class LimiterUnavailableError(Exception):
    """The shared counts are unavailable."""


class Limiter(Protocol):
    """Counts attempts by key."""

    async def attempt(self, key: str, rate: Rate) -> float:
        """Counts an attempt if it conforms and returns 0; else returns the seconds until one would."""

    async def refund(self, key: str, rate: Rate) -> None:
        """Takes back one attempt."""


class LocalLimiter:
    """Counts attempts in this process.

    Args:
        now: monotonic seconds.
        max_keys: the most keys to remember.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, max_keys: int = _MAX_LOCAL_KEYS) -> None:
        self._limiter: KeyedLimiter[str] = KeyedLimiter(now, max_keys)

    async def attempt(self, key: str, rate: Rate) -> float:
        """See `Limiter.attempt`."""
        return self._limiter.attempt(key, rate)

    async def refund(self, key: str, rate: Rate) -> None:
        """See `Limiter.refund`."""
        self._limiter.refund(key, rate)


class FallbackLimiter:
    """Counts with the shared limiter, or with the local one while the shared one is unavailable."""

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

    async def refund(self, key: str, rate: Rate) -> None:
        """See `Limiter.refund`."""
        if self._now() >= self._ask_again_at:
            try:
                await self._shared.refund(key, rate)
            except LimiterUnavailableError:
                self._stop_asking()
        await self._local.refund(key, rate)

    def _stop_asking(self) -> None:
        self._ask_again_at = self._now() + _SKIP_SECONDS
        _log.warning("shared_limits_unreachable")


class SignInLimits:
    """The two limits of sign-in.

    Args:
        limiter: counts attempts.
        by_account: the limit of an e-mail address, whether or not it has an account.
        by_address: the limit of a network address.
    """

    def __init__(self, limiter: Limiter, by_account: Rate, by_address: Rate) -> None:
        self._limiter = limiter
        self._by_account = by_account
        self._by_address = by_address

    async def admit(self, email: str, address: str) -> None:
        """Counts an attempt. Raises ResourceExhaustedError (TOO_MANY_ATTEMPTS) beyond a limit."""
        wait = max(
            await self._limiter.attempt(_address_key(address), self._by_address),
            await self._limiter.attempt(_account_key(email), self._by_account),
        )
        _raise_if_limited(wait)

    async def refund(self, email: str, address: str) -> None:
        """Takes back a successful attempt."""
        await self._limiter.refund(_address_key(address), self._by_address)
        await self._limiter.refund(_account_key(email), self._by_account)


class ServiceTokenLimits:
    """The limit of failed requests for services' tokens from a network address.

    There is none by service: anyone could then keep a service from its tokens.
    """

    def __init__(self, limiter: Limiter, by_address: Rate) -> None:
        self._limiter = limiter
        self._by_address = by_address

    async def admit(self, address: str) -> None:
        """Counts an attempt. Raises ResourceExhaustedError (TOO_MANY_ATTEMPTS) beyond the limit."""
        _raise_if_limited(await self._limiter.attempt(_service_key(address), self._by_address))

    async def refund(self, address: str) -> None:
        """Takes back a successful attempt."""
        await self._limiter.refund(_service_key(address), self._by_address)


def _raise_if_limited(wait_seconds: float) -> None:
    if wait_seconds > 0:
        raise ResourceExhaustedError(
            "TOO_MANY_ATTEMPTS", "too many attempts; try again later", retry_after_ms=math.ceil(wait_seconds * 1_000)
        )


def _service_key(address: str) -> str:
    return "service:" + _digest(subscriber_of(address))


def _account_key(email: str) -> str:
    return "account:" + _digest(email_key(email))


def _address_key(address: str) -> str:
    return "address:" + _digest(subscriber_of(address))


def _digest(text: str) -> str:
    """Returns a digest, which keeps people's addresses out of Redis."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def subscriber_of(address: str) -> str:
    """Returns a subscriber's network: an IPv4 address or an IPv6 /64; empty if the address is invalid."""
    try:
        parsed = ipaddress.ip_address(address.strip().partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.ip_network((parsed, _IPV6_SITE_BITS), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)


def client_address(claimed: str, context: Context) -> str:
    """Returns the network address of the user behind a call; empty if it is unknown.

    A service that acts for users may claim their address. Otherwise it is the address that the edge proxy saw, which is
    the last entry of x-forwarded-for (the caller controls the earlier ones), or without a proxy that of the peer.
    """
    service = caller_if_any()
    if claimed and service is not None and _ACTING_SCOPE in service.scopes:
        return claimed
    forwarded = [value for key, value in context.invocation_metadata() or () if key == _FORWARDED]
    if forwarded and isinstance(forwarded[-1], str):
        return forwarded[-1].rpartition(",")[2].strip()
    return host_of(context.peer())


def host_of(peer: str) -> str:
    """Returns the host in "ipv4:127.0.0.1:50123" or "ipv6:%5B::1%5D:50123"."""
    _, _, address = unquote(peer).partition(":")
    host, _, _ = address.rpartition(":")
    return host.strip("[]")
