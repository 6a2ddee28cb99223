"""Sends messages to chat: a SendMessages call carries the messages of many users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from parley.chat.v1.message_pb2 import Actor, Draft, SendMessagesRequest, SendMessagesResponse, SendResult

from chassis.errors import AppError
from chassis.process.tracing import calling
from chassis.rpc.status import from_status
from gateway.upstream.batcher import Batcher
from gateway.upstream.clients import Upstreams

_Item = tuple[Actor, Draft]
_Outcome = SendMessagesResponse.Outcome
_METHOD: Final = "parley.chat.v1.MessageService/SendMessages"


class MessageSender:
    """Sends messages, in order within each conversation.

    Args:
        upstreams: the services' stubs.
        capacity: the most messages that may wait for each shard.
    """

    def __init__(self, upstreams: Upstreams, capacity: int) -> None:
        self._upstreams = upstreams
        self._batcher: Batcher[_Item, _Outcome] = Batcher(
            "messages", self._exchange, lanes=upstreams.chat_shards, capacity=capacity
        )
        self.run = self._batcher.run

    def __len__(self) -> int:
        return len(self._batcher)

    def send(self, actor: Actor, draft: Draft, answer: Callable[[SendResult | AppError], None]) -> None:
        """Sends a user's message, and calls `answer` once with the result or the error.

        Raises:
            ResourceExhaustedError: OVERLOADED: too many messages are waiting.
        """
        shard = self._upstreams.shard_of(draft.conversation_id)
        self._batcher.submit(shard, (actor, draft), lambda outcome: answer(_result(outcome)))

    async def _exchange(self, shard: int, items: Sequence[_Item]) -> Sequence[_Outcome]:
        request = SendMessagesRequest()
        add = request.items.add
        for actor, draft in items:
            add(actor=actor, draft=draft)
        with calling(_METHOD, len(items)):
            response = await self._upstreams.call_as_gateway(
                self._upstreams.messages.SendMessages, request, shard=shard
            )
        return response.outcomes


def _result(outcome: _Outcome | AppError) -> SendResult | AppError:
    if isinstance(outcome, AppError):
        return outcome
    return outcome.result if outcome.HasField("result") else from_status(outcome.error)
