"""One user opens watches of presence without end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from parley.presence.v1 import presence_pb2, presence_pb2_grpc

from chassis.errors import AppError
from chassis.rpc.channel import bearer
from chassis.rpc.status import from_rpc_error
from services.presence.watches import MAX_WATCHES_OF_USER
from tests.attacks.victims import Organization

Watch = grpc.aio.UnaryStreamCall[presence_pb2.WatchPresenceRequest, presence_pb2.WatchPresenceResponse]


async def open_watch(channel: grpc.aio.Channel, token: str) -> Watch | AppError:
    """Opens a watch; returns it once it has answered, or its error."""
    stub = presence_pb2_grpc.PresenceServiceStub(channel)
    watch = stub.WatchPresence(
        presence_pb2.WatchPresenceRequest(user_ids=["someone"]), metadata=bearer(token), timeout=60
    )
    try:
        await watch.read()
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    return watch


@asynccontextmanager
async def watching(channel: grpc.aio.Channel, token: str, number: int) -> AsyncIterator[list[Watch | AppError]]:
    """Opens watches of one user, and ends them on leaving."""
    watches = [await open_watch(channel, token) for _ in range(number)]
    try:
        yield watches
    finally:
        for watch in watches:
            if not isinstance(watch, AppError):
                watch.cancel()


async def test_a_users_watches_take_none_of_the_others(channel: grpc.aio.Channel, organization: Organization) -> None:
    attacker, colleague = await organization.sign_in_new(), await organization.sign_in_new()
    async with watching(channel, attacker, MAX_WATCHES_OF_USER + 5) as watches:
        refusals = [watch for watch in watches if isinstance(watch, AppError)]
        assert [refusal.reason for refusal in refusals] == ["TOO_MANY_WATCHES"] * 5
        assert f"this user has {MAX_WATCHES_OF_USER}" in refusals[0].message
        async with watching(channel, colleague, 1) as others:
            assert not isinstance(others[0], AppError)


async def test_ended_watches_no_longer_count(channel: grpc.aio.Channel, organization: Organization) -> None:
    token = await organization.sign_in_new()
    for _ in range(2):
        async with watching(channel, token, MAX_WATCHES_OF_USER) as watches:
            assert not [watch for watch in watches if isinstance(watch, AppError)]
