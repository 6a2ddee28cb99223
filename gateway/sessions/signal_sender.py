"""Receipts and typing on their way to chat: many of many users in one SendSignals call.

Only the latest of a kind matters, so those of one user in one conversation that wait together become one.
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
        upstreams: where chat is.
        capacity: how many signals may wait for each shard.
    """

    def __init__(self, upstreams: Upstreams, capacity: int) -> None:
        self._upstreams = upstreams
        self._batcher: Batcher[_Item, Status] = Batcher(
            "signals", self._exchange, merge=latest, lanes=upstreams.chat_shards, capacity=capacity
        )
        self.run = self._batcher.run

    def __len__(self) -> int:
        return len(self._batcher)

    def send(self, actor: Actor, signal: Signal, answer: Callable[[AppError | None], None]) -> None:
        """Sends a signal for a user; `answer` is called once, with why it was not taken, or None.

        Raises:
            ResourceExhaustedError: OVERLOADED: too many signals wait.
        """
        conversation_id = signal.conversation_id
        key = (actor.organization_id, actor.user_id, conversation_id, type(signal))
        shard = self._upstreams.shard_of(conversation_id)
        self._batcher.submit(shard, (actor, signal), lambda outcome: answer(_refusal(outcome)), key)

    def confirm(self, session: Session, message: Message) -> None:
        """Notes that a message has reached a session's user, where the front-end has no word for that."""
        mark = MarkDeliveredRequest(conversation_id=message.conversation_id, seq=message.seq)
        try:
            self.send(session.actor, mark, _passed_over)
        except ResourceExhaustedError:
            CONFIRMATIONS_DROPPED.inc()  # the next one says as much

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


def _passed_over(_: AppError | None) -> None:
    """Nobody waits for the outcome."""


def latest(earlier: _Item, later: _Item) -> _Item:
    """The one of two signals of a kind that counts: marks only move forward, typing is what was said last."""
    (_, before), (_, after) = earlier, later
    if isinstance(before, SetTypingRequest) or isinstance(after, SetTypingRequest) or after.seq >= before.seq:
        return later
    return earlier


def _refusal(outcome: Status | AppError) -> AppError | None:
    if isinstance(outcome, AppError):
        return outcome
    return from_status(outcome) if outcome.code else None
