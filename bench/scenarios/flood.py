"""One user floods and is rate-limited: the effect on the other users."""

from __future__ import annotations

import asyncio

from bench.conversation import Conversation, all_settled
from bench.figures import Figures
from bench.parley import Parley
from bench.scenarios.pairs import open_window, pairs
from bench.scenarios.rate import keep_sending_while
from bench.sockets import Socket

_FRAMES_PER_SECOND = 450  # the gateway closes a connection above 500
_BURST = 5


async def flood(
    system: Parley, *, pair_count: int, per_second: float, warm_up_seconds: float, seconds: float
) -> Figures:
    """Measures the other users' latencies without and with a flood, and the ratio of their 99th percentiles.

    The system must be opened with its default limits on what a user may send.
    """
    figures: dict[str, Figures] = {}
    for name in ("calm", "flooded"):
        window = open_window(system)
        conversations = await pairs(system, pair_count, window, _nothing)
        flooder = await _flooder(system) if name == "flooded" else None
        async with keep_sending_while(conversations, per_second):
            await window.measure(warm_up_seconds, seconds)
        if flooder is not None:
            flooder.stop()
            figures["flood"] = {"refused": float(flooder.refused), "let_through": float(flooder.let_through)}
        await all_settled(conversations)
        figures[name] = window.figures()
    calm, flooded = figures["calm"]["receive_p99_ms"], figures["flooded"]["receive_p99_ms"]
    return {
        "offered_per_s": per_second,
        "calm_receive_p99_ms": calm,
        "flooded_receive_p99_ms": flooded,
        "times_as_long": flooded / calm,
        **figures["flood"],
    }


class _Flooder:
    """Sends as many frames as a connection may, far more than the messages that a user may send."""

    def __init__(self, socket: Socket, conversation_id: str) -> None:
        self._socket = socket
        self._conversation_id = conversation_id
        self._sent = 0
        self.refused = 0
        self.let_through = 0
        socket.acknowledged = self._acknowledged
        socket.refused = self._refused
        self._sending = asyncio.create_task(self._flood())

    def stop(self) -> None:
        """Stops sending."""
        self._sending.cancel()

    async def _flood(self) -> None:
        while True:
            for _ in range(_BURST):
                self._sent += 1
                self._socket.send(self._conversation_id, self._sent)
            await asyncio.sleep(_BURST / _FRAMES_PER_SECOND)

    def _acknowledged(self, number: int) -> None:
        self.let_through += 1

    def _refused(self, number: int) -> None:
        self.refused += 1


async def _flooder(system: Parley) -> _Flooder:
    one, other = await system.create_users(2)
    socket = await system.connect(one)
    return _Flooder(socket, await system.direct(socket, other))


def _nothing(conversation: Conversation) -> None:
    pass
