"""The cost of a message in a large store: direct messages before and after adding millions."""

from __future__ import annotations

import asyncio
from typing import Final

from parley.chat.v1 import conversation_pb2, conversation_pb2_grpc, message_pb2, message_pb2_grpc

from bench.figures import Figures
from bench.parley import Parley
from bench.scenarios.direct import direct
from bench.sockets import WORDS, BenchError
from bench.system import User
from chassis.rpc.channel import Metadata, ServiceTokens, bearer, open_channel

_BATCH: Final = 1_000
_CONCURRENT_CALLS: Final = 4
_CALL_SECONDS: Final = 60.0


async def growth(
    system: Parley, *, messages: int, conversations: int, pair_count: int, warm_up_seconds: float, seconds: float
) -> Figures:
    """Measures acknowledged messages a second with an empty and a full store, and their ratio (`kept`)."""

    async def measure() -> Figures:
        return await direct(
            system, pair_count=pair_count, in_flight=8, warm_up_seconds=warm_up_seconds, seconds=seconds
        )

    empty = await measure()
    await _fill(system, messages, conversations)
    full = await measure()
    return {
        "messages": float(messages),
        "empty_per_s": empty["acknowledged_per_s"],
        "full_per_s": full["acknowledged_per_s"],
        "kept": full["acknowledged_per_s"] / empty["acknowledged_per_s"],
        "empty_cpu_mongod_us": empty["cpu_mongod_us"],
        "full_cpu_mongod_us": full["cpu_mongod_us"],
        "empty_cpu_servers_us": empty["cpu_servers_us"],
        "full_cpu_servers_us": full["cpu_servers_us"],
    }


async def _fill(system: Parley, messages: int, conversations: int) -> None:
    """Sends messages to many conversations through chat's batch method, as a gateway does."""
    users = await system.create_users(2 * max(1, round(conversations**0.5)))
    half = len(users) // 2
    pairs = [(one, other) for one in users[:half] for other in users[half:]][:conversations]
    async with open_channel(system.grpc_target) as channel:
        keys = await _conversations(conversation_pb2_grpc.ConversationServiceStub(channel), pairs)
        tokens = ServiceTokens(channel, "gateway", system.gateway_secret)
        stub = message_pb2_grpc.MessageServiceStub(channel)
        semaphore = asyncio.Semaphore(_CONCURRENT_CALLS)

        async def send(start: int) -> None:
            request = message_pb2.SendMessagesRequest()
            for number in range(start, min(start + _BATCH, messages)):
                index = number * len(keys) // messages  # one conversation after the other, in equal parts
                item = request.items.add()
                item.actor.organization_id = system.organization_id
                item.actor.user_id = pairs[index][0].user_id
                item.draft.conversation_id = keys[index]
                item.draft.client_message_id = f"fill-{number}"
                item.draft.text = WORDS
            async with semaphore:
                await _send(stub, request, await tokens.metadata())

        for start in range(0, messages, _BATCH * 64):
            await asyncio.gather(*map(send, range(start, min(start + _BATCH * 64, messages), _BATCH)))


async def _send(
    stub: message_pb2_grpc.MessageServiceStub, request: message_pb2.SendMessagesRequest, metadata: Metadata
) -> None:
    response = await stub.SendMessages(request, metadata=metadata, timeout=_CALL_SECONDS)
    for outcome in response.outcomes:
        if not outcome.HasField("result"):
            raise BenchError(f"a message was refused: {outcome.error.message}")


async def _conversations(
    stub: conversation_pb2_grpc.ConversationServiceStub, pairs: list[tuple[User, User]]
) -> list[str]:
    semaphore = asyncio.Semaphore(16)

    async def create(one: User, other: User) -> str:
        request = conversation_pb2.GetOrCreateDirectConversationRequest(user_id=other.user_id)
        async with semaphore:
            response = await stub.GetOrCreateDirectConversation(
                request, metadata=bearer(one.token), timeout=_CALL_SECONDS
            )
        return str(response.conversation.conversation_id)

    return await asyncio.gather(*(create(*pair) for pair in pairs))
