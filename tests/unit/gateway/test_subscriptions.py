"""Subscriptions measure the number of events, and their delay since publication."""

from __future__ import annotations

import time
from typing import Any, cast

from parley.chat.v1 import event_pb2
from parley.stream.v1.stream_pb2 import Cursors
from prometheus_client import REGISTRY

from chassis.rpc.channel import Metadata
from gateway.upstream.subscriptions import Subscription

STREAM = {"stream": "test-subscriptions"}


async def no_metadata() -> Metadata:
    return ()


def subscription() -> Subscription[event_pb2.Event]:
    return Subscription(
        STREAM["stream"],
        cast(Any, None),  # the stream itself is not opened here
        event_pb2.SubscribeRequest,
        metadata=no_metadata,
        deliver=lambda _: None,
        on_loss=lambda: None,
    )


def measured(name: str) -> float:
    return REGISTRY.get_sample_value(f"parley_gateway_{name}", STREAM) or 0.0


def test_a_response_is_timed_by_the_newest_of_its_positions() -> None:
    taker = subscription()
    now_ms = int(time.time() * 1_000)
    positions = Cursors(shards={0: f"{now_ms - 60_000}-0", 1: f"{now_ms - 3_000}-7"})
    events, seconds = measured("events_total"), measured("delivery_seconds_sum")
    taker.handle(event_pb2.SubscribeResponse(events=[event_pb2.Event()] * 3, resume_cursors=positions))
    assert measured("events_total") - events == 3
    assert 3.0 <= measured("delivery_seconds_sum") - seconds < 60.0


def test_a_response_without_events_or_without_a_position_is_not_timed() -> None:
    taker, count = subscription(), measured("delivery_seconds_count")
    taker.handle(event_pb2.SubscribeResponse(resume_cursors=Cursors(shards={0: "1700000000000-0"})))
    taker.handle(event_pb2.SubscribeResponse(events=[event_pb2.Event()]))
    assert measured("delivery_seconds_count") == count


def test_a_clock_that_is_behind_that_of_redis_counts_as_no_time() -> None:
    taker, seconds = subscription(), measured("delivery_seconds_sum")
    ahead = f"{int(time.time() * 1_000) + 60_000}-0"
    taker.handle(event_pb2.SubscribeResponse(events=[event_pb2.Event()], resume_cursors=Cursors(shards={0: ahead})))
    assert measured("delivery_seconds_sum") == seconds
