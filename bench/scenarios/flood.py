"""One user floods, and is refused; what that is to the others."""

from __future__ import annotations

from bench.conversation import Conversation, all_settled
from bench.figures import Figures
from bench.parley import Parley
from bench.scenarios.rate import keep_sending_while
from bench.scenarios.talking import pairs, window_of
from bench.sockets import Socket

_IN_FLIGHT = 200


async def flood(
    system: Parley, *, pair_count: int, per_second: float, warm_up_seconds: float, seconds: float
) -> Figures:
    """How long the others' messages take without a flood and with one, and how many times as long at the 99th percent.

    The system keeps its limits on what one user may send: it is to be opened with them.
    """
    figures: dict[str, Figures] = {}
    for name in ("calm", "flooded"):
        window = window_of(system)
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
    """Sends as fast as it is answered, many at a time."""

    def __init__(self, socket: Socket, conversation_id: str) -> None:
        self._socket = socket
        self._conversation_id = conversation_id
        self._sent = 0
        self._going = True
        self.refused = 0
        self.let_through = 0
        socket.acknowledged = self._acknowledged
        socket.refused = self._refused
        for _ in range(_IN_FLIGHT):
            self._send()

    def stop(self) -> None:
        """Sends no more."""
        self._going = False

    def _send(self) -> None:
        if self._going:
            self._sent += 1
            self._socket.send(self._conversation_id, self._sent)

    def _acknowledged(self, number: int) -> None:
        self.let_through += 1
        self._send()

    def _refused(self, number: int) -> None:
        self.refused += 1
        self._send()


async def _flooder(system: Parley) -> _Flooder:
    one, other = await system.people(2)
    socket = await system.connect(one)
    return _Flooder(socket, await system.direct(socket, other))


def _nothing(conversation: Conversation) -> None:
    pass
