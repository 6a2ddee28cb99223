"""A stretch of time in which is measured: after a warm-up, with what it cost."""

from __future__ import annotations

import asyncio
import time
from array import array
from typing import Final

from bench.figures import Figures, latencies
from bench.meter import Meter, cost

_PATIENCE_SECONDS: Final = 30.0


class Window:
    """Counts and times what happens while it is open.

    Attributes:
        open: whether it counts.
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
        """Opens for so long, after a warm-up; for longer, within reason, while nothing at all has come."""
        await asyncio.sleep(warm_up_seconds)
        before, began = self._meter.read(), time.perf_counter()
        self.open = True
        await asyncio.sleep(seconds)
        patient_until = time.perf_counter() + _PATIENCE_SECONDS
        # Looked at, not waited for: an event for each message would be measured too.
        while not (self.acknowledged and self.delivered) and time.perf_counter() < patient_until:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        self.open = False
        self.seconds = time.perf_counter() - began
        self._cost = cost(before, self._meter.read(), self.acknowledged)

    def acked(self, sent_at: float) -> None:
        """A message was acknowledged."""
        if self.open:
            self.acknowledged += 1
            self.to_ack.append(time.perf_counter() - sent_at)

    def came(self, sent_at: float) -> None:
        """A message was delivered to one recipient."""
        if self.open:
            self.delivered += 1
            self.to_receive.append(time.perf_counter() - sent_at)

    def figures(self) -> Figures:
        """What was measured."""
        return {
            "acknowledged_per_s": self.acknowledged / self.seconds,
            "delivered_per_s": self.delivered / self.seconds,
            **latencies("ack", self.to_ack),
            **latencies("receive", self.to_receive),
            **self._cost,
        }
