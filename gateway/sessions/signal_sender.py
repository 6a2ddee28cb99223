"""Sends receipts and typing signals to chat: a SendSignals call carries the signals of many users.

Only the latest signal of a type matters, so waiting signals of one type, user and conversation merge into one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from google.rpc.status_pb2 import Status
from parley.chat.v1.chat_pb2 import Message
from parley.chat.v1.message_pb2 import (
    Actor,
    MarkDeliveredRequest,
    MarkReadRequest,
    SendSignalsRequest,
    SetTypingRequest,
)

from chassis.errors import AppError, ResourceExhaustedError
from chassis.rpc.status import from_status
from gateway.metrics import CONFIRMATIONS_DROPPED
from gateway.sessions.session import Session
from gateway.upstream.batcher import Batcher
from gateway.upstream.clients import Upstreams

Signal = MarkReadRequest | MarkDeliveredRequest | SetTypingRequest
_Item = tuple[Actor, Signal]


class SignalSender:
    """Sends signals.

    Args:
        upstreams: the services' stubs.
        capacity: the most signals that may wait for each shard.
    """

    def __init__(self, upstreams: Upstreams, capacity: int) -> None:
        self._upstreams = upstreams
        self._batcher: Batcher[_Item, Status] = Batcher(
            "signals", self._exchange, merge=merge_signals, lanes=upstreams.chat_shards, capacity=capacity
        )
        self.run = self._batcher.run

    def __len__(self) -> int:
        return len(self._batcher)

    def send(self, actor: Actor, signal: Signal, answer: Callable[[AppError | None], None]) -> None:
        """Sends a user's signal, and calls `answer` once with the error, or None.

        Raises:
            ResourceExhaustedError: OVERLOADED: too many signals are waiting.
        """
        conversation_id = signal.conversation_id
        key = (actor.organization_id, actor.user_id, conversation_id, type(signal))
        shard = self._upstreams.shard_of(conversation_id)
        self._batcher.submit(shard, (actor, signal), lambda outcome: answer(_error(outcome)), key)

    def confirm_delivery(self, session: Session, message: Message) -> None:
        """Sends the delivery receipt of a message, for a front-end that sends none itself."""
        receipt = MarkDeliveredRequest(conversation_id=message.conversation_id, seq=message.seq)
        try:
            self.send(session.actor, receipt, _ignore)
        except ResourceExhaustedError:
            CONFIRMATIONS_DROPPED.inc()  # the next receipt covers this message

    async def _exchange(self, shard: int, items: Sequence[_Item]) -> Sequence[Status]:
        request = SendSignalsRequest()
        for actor, signal in items:
            if isinstance(signal, MarkReadRequest):
                request.items.add(actor=actor, read=signal)
            elif isinstance(signal, MarkDeliveredRequest):
                request.items.add(actor=actor, delivered=signal)
            else:
                request.items.add(actor=actor, typing=signal)
        response = await self._upstreams.call_as_gateway(self._upstreams.messages.SendSignals, request, shard=shard)
        return response.outcomes


def _ignore(_: AppError | None) -> None:
    """Ignores the outcome."""


def merge_signals(earlier: _Item, later: _Item) -> _Item:
    """Returns the signal to keep of two of a type: the receipt with the higher seq, or the later typing signal."""
    (_, before), (_, after) = earlier, later
    if isinstance(before, SetTypingRequest) or isinstance(after, SetTypingRequest) or after.seq >= before.seq:
        return later
    return earlier


def _error(outcome: Status | AppError) -> AppError | None:
    if isinstance(outcome, AppError):
        return outcome
    return from_status(outcome) if outcome.code else None
