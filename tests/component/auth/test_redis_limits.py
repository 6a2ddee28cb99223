"""Tests of the shared counts of attempts, with and without Redis: they follow the same rule as the local ones."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from chassis.rate_limit import Rate
from services.auth.bus import RedisLimiter, open_bus
from services.auth.limits import FallbackLimiter, LimiterUnavailableError, LocalLimiter

RATE = Rate(burst=5, window_seconds=3_600)


@pytest.fixture
async def limiter(redis_url: str) -> AsyncIterator[RedisLimiter]:
    async with open_bus(redis_url, retention_seconds=60) as bus:
        yield bus.limiter


@pytest.fixture
def key() -> str:
    return secrets.token_hex(8)


async def test_replicas_share_one_count(redis_url: str, limiter: RedisLimiter, key: str) -> None:
    async with open_bus(redis_url, retention_seconds=60) as other:
        waits = [await (limiter, other.limiter)[turn % 2].attempt(key, RATE) for turn in range(6)]
    assert waits[:5] == [0] * 5
    assert 0 < waits[5] <= RATE.interval_seconds


async def test_attempts_at_once_are_counted_one_by_one(limiter: RedisLimiter, key: str) -> None:
    waits = await asyncio.gather(*(limiter.attempt(key, RATE) for _ in range(20)))
    assert waits.count(0) == 5


async def test_what_is_given_back_may_be_tried_again(limiter: RedisLimiter, key: str) -> None:
    for _ in range(5):
        await limiter.attempt(key, RATE)
    await limiter.refund(key, RATE)
    assert await limiter.attempt(key, RATE) == 0
    assert await limiter.attempt(key, RATE) > 0


async def test_giving_back_what_was_never_counted_gives_no_credit(limiter: RedisLimiter, key: str) -> None:
    await limiter.refund(key, RATE)
    waits = [await limiter.attempt(key, RATE) for _ in range(6)]
    assert waits.count(0) == 5


async def test_an_attempt_comes_back_with_time(limiter: RedisLimiter, key: str) -> None:
    brief = Rate(burst=2, window_seconds=0.2)
    waits = [await limiter.attempt(key, brief) for _ in range(3)]
    assert waits[:2] == [0, 0]
    while await limiter.attempt(key, brief) > 0:
        await asyncio.sleep(0.01)


async def test_without_redis_the_local_counts_hold(unused_port: int, key: str) -> None:
    async with open_bus(f"redis://127.0.0.1:{unused_port}/0", retention_seconds=60) as bus:
        with pytest.raises(LimiterUnavailableError):
            await bus.limiter.attempt(key, RATE)
        limiter = FallbackLimiter(bus.limiter, LocalLimiter())
        waits = [await limiter.attempt(key, RATE) for _ in range(6)]
        assert waits.count(0) == 5
        await limiter.refund(key, RATE)
        assert await limiter.attempt(key, RATE) == 0
