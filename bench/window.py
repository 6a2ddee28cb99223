"""A measurement window: counts, latencies and CPU between a warm-up and the end."""

from __future__ import annotations

import asyncio
import time
from array import array
from typing import Final

from bench.figures import Figures, latencies
from bench.meter import Meter, cost

_MAX_EXTENSION_SECONDS: Final = 30.0


class Window:
    """Records acknowledgements and deliveries while it is open.

    Attributes:
        open: whether it records.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.open = False
        self.acknowledged = 0
        self.delivered = 0
        self.to_ack = array("d")
        self.to_receive = array("d")
        self.seconds = 0.0
        self._cost: Figures = {}

    async def measure(self, warm_up_seconds: float, seconds: float) -> None:
        """Opens for `seconds` after a warm-up, and longer if nothing has been delivered yet, by at most 30 s."""
        await asyncio.sleep(warm_up_seconds)
        before, began = self._meter.read(), time.perf_counter()
        self.open = True
        await asyncio.sleep(seconds)
        extended_until = time.perf_counter() + _MAX_EXTENSION_SECONDS
        # Polls: an event for each message would be measured too.
        while not (self.acknowledged and self.delivered) and time.perf_counter() < extended_until:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        self.open = False
        self.seconds = time.perf_counter() - began
        self._cost = cost(before, self._meter.read(), self.acknowledged)

    def record_acknowledgement(self, sent_at: float) -> None:
        """Records the acknowledgement of a message."""
        if self.open:
            self.acknowledged += 1
            self.to_ack.append(time.perf_counter() - sent_at)

    def record_delivery(self, sent_at: float) -> None:
        """Records the delivery of a message to one recipient."""
        if self.open:
            self.delivered += 1
            self.to_receive.append(time.perf_counter() - sent_at)

    def figures(self) -> Figures:
        """Returns the measurements."""
        return {
            "acknowledged_per_s": self.acknowledged / self.seconds,
            "delivered_per_s": self.delivered / self.seconds,
            **latencies("ack", self.to_ack),
            **latencies("receive", self.to_receive),
            **self._cost,
        }
