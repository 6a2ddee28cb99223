"""Tests of the streams of revocations that gateways watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest
from parley.auth.v1 import auth_pb2, auth_pb2_grpc, directory_pb2

from chassis.errors import Category, ResourceExhaustedError
from chassis.identity import Identity, TokenVerifier
from chassis.rpc.channel import open_channel
from services.auth.domain import Revocation, RevocationReason
from services.auth.revocations import MAX_PENDING, _Watcher
from tests.component.auth.expectations import refused
from tests.component.auth_service import RunningAuth, SignedIn, auth_settings, drop_database, running_auth


class Watching:
    """An open stream, filtered to one organization, because other tests share the log."""

    def __init__(self, call: grpc.aio.UnaryStreamCall[Any, Any], organization_id: str) -> None:
        self._call = call
        self._organization_id = organization_id

    async def next(self) -> tuple[str, str, auth_pb2.RevocationReason.ValueType]:
        """Returns the next revocation: (user, session, reason)."""
        while True:
            response = await self._call.read()
            assert isinstance(response, auth_pb2.WatchRevocationsResponse), "the stream ended"
            if response.organization_id == self._organization_id:
                return response.user_id, response.session_id, response.reason


@asynccontextmanager
async def watching(auth: RunningAuth, organization_id: str) -> AsyncIterator[Watching]:
    metadata = await auth.service_metadata()
    call = auth.auth.WatchRevocations(auth_pb2.WatchRevocationsRequest(), metadata=metadata, timeout=60)
    try:
        await call.initial_metadata()
        yield Watching(call, organization_id)
    finally:
        call.cancel()


async def identity_of(auth: RunningAuth, signed_in: SignedIn) -> Identity:
    async def keys() -> str:
        return (await auth.auth.ListKeys(auth_pb2.ListKeysRequest(), timeout=20)).jwks

    return await TokenVerifier(keys).verify(signed_in.access_token)


async def session_of(auth: RunningAuth, signed_in: SignedIn) -> str:
    return (await identity_of(auth, signed_in)).session_id


async def revision_of(auth: RunningAuth, signed_in: SignedIn) -> int:
    return (await identity_of(auth, signed_in)).revision


async def deactivate(auth: RunningAuth, signed_in: SignedIn) -> None:
    await auth.directory.DeactivateUser(
        directory_pb2.DeactivateUserRequest(user_id=signed_in.user_id),
        metadata=await auth.service_metadata(signed_in.user.organization_id),
        timeout=20,
    )


async def set_disabled(auth: RunningAuth, signed_in: SignedIn, disabled: bool) -> None:
    await auth.update_user(signed_in.user.organization_id, signed_in.user_id, disabled=disabled)


async def sign_out(auth: RunningAuth, signed_in: SignedIn) -> None:
    await auth.auth.SignOut(auth_pb2.SignOutRequest(), metadata=signed_in.metadata, timeout=20)


async def test_every_watcher_of_every_replica_hears_of_a_sign_out(
    mongodb_uri: str, redis_url: str, organization_id: str
) -> None:
    settings = auth_settings(mongodb_uri, redis_url)
    async with (
        running_auth(mongodb_uri, redis_url, settings=settings) as one,
        running_auth(mongodb_uri, redis_url, settings=settings) as other,
        watching(one, organization_id) as first,
        watching(one, organization_id) as second,
        watching(other, organization_id) as third,
    ):
        await one.create_organization(organization_id)
        ann = await one.sign_in_new(organization_id, "sales")
        session_id = await session_of(one, ann)
        await sign_out(one, ann)
        expected = (ann.user_id, session_id, auth_pb2.REVOCATION_REASON_SESSION_REVOKED)
        assert [await watcher.next() for watcher in (first, second, third)] == [expected] * 3
    await drop_database(settings)


async def test_a_deactivation_is_of_all_sessions(auth: RunningAuth, organization: str) -> None:
    ann, bob = [await auth.sign_in_new(organization, "sales") for _ in range(2)]
    async with watching(auth, organization) as watcher:
        await deactivate(auth, ann)
        assert await watcher.next() == (ann.user_id, "", auth_pb2.REVOCATION_REASON_ACCOUNT_DISABLED)
        await set_disabled(auth, bob, True)
        assert await watcher.next() == (bob.user_id, "", auth_pb2.REVOCATION_REASON_ACCOUNT_DISABLED)


async def test_a_reused_refresh_token_is_heard_of(auth: RunningAuth, organization: str) -> None:
    ann = await auth.sign_in_new(organization, "sales")
    token = ann.tokens.refresh_token
    async with watching(auth, organization) as watcher:
        for _ in range(2):
            response = await auth.auth.RefreshToken(auth_pb2.RefreshTokenRequest(refresh_token=token), timeout=20)
            token = response.tokens.refresh_token
        with refused(Category.UNAUTHENTICATED, "REFRESH_TOKEN_REUSED"):
            await auth.auth.RefreshToken(
                auth_pb2.RefreshTokenRequest(refresh_token=ann.tokens.refresh_token), timeout=20
            )
        session_id = await session_of(auth, ann)
        assert await watcher.next() == (ann.user_id, session_id, auth_pb2.REVOCATION_REASON_SESSION_REVOKED)


async def test_a_new_password_ends_the_sessions_there_are_each_by_its_name(
    auth: RunningAuth, organization: str
) -> None:
    first = await auth.sign_in_new(organization, "sales")
    second = await auth.sign_in(first.user.email)
    async with watching(auth, organization) as watcher:
        await auth.update_user(organization, first.user_id, password="another password")
        ended = {await watcher.next() for _ in range(2)}
    reason = auth_pb2.REVOCATION_REASON_SESSION_REVOKED
    assert ended == {(first.user_id, await session_of(auth, s), reason) for s in (first, second)}


async def test_a_watcher_that_comes_back_hears_what_it_missed(auth: RunningAuth, organization: str) -> None:
    ann, bob = [await auth.sign_in_new(organization, "sales") for _ in range(2)]
    await sign_out(auth, ann)
    await deactivate(auth, bob)
    async with watching(auth, organization) as watcher:
        missed = [await watcher.next() for _ in range(2)]
    assert missed == [
        (ann.user_id, await session_of(auth, ann), auth_pb2.REVOCATION_REASON_SESSION_REVOKED),
        (bob.user_id, "", auth_pb2.REVOCATION_REASON_ACCOUNT_DISABLED),
    ]


async def test_what_it_missed_of_an_account_that_was_enabled_again_concerns_earlier_tokens_alone(
    auth: RunningAuth, organization: str
) -> None:
    ann = await auth.sign_in_new(organization, "sales")
    await deactivate(auth, ann)
    await set_disabled(auth, ann, False)
    again = await auth.sign_in(ann.user.email)
    call = auth.auth.WatchRevocations(
        auth_pb2.WatchRevocationsRequest(), metadata=await auth.service_metadata(organization), timeout=20
    )
    missed = await call.read()
    call.cancel()
    assert isinstance(missed, auth_pb2.WatchRevocationsResponse)
    assert missed.user_revision > await revision_of(auth, ann)
    assert missed.user_revision <= await revision_of(auth, again)


async def test_streams_end_with_the_service_and_say_so(mongodb_uri: str, redis_url: str) -> None:
    async with AsyncExitStack() as service:
        auth = await service.enter_async_context(running_auth(mongodb_uri, redis_url))
        metadata = await auth.service_metadata()
        async with open_channel(auth.target) as channel:  # outlives the service
            call = auth_pb2_grpc.AuthServiceStub(channel).WatchRevocations(
                auth_pb2.WatchRevocationsRequest(), metadata=metadata, timeout=60
            )
            await call.initial_metadata()
            ended = asyncio.create_task(to_its_end(call))
            await service.aclose()
            with refused(Category.UNAVAILABLE, "SHUTTING_DOWN"):
                await ended


async def to_its_end(call: grpc.aio.UnaryStreamCall[Any, Any]) -> None:
    async for _ in call:
        pass


async def test_a_watcher_of_one_organization_hears_of_no_other(auth: RunningAuth, organization: str) -> None:
    foreign = f"{organization}-2"
    await auth.create_organization(foreign)
    ann, zoe = await auth.sign_in_new(organization, "sales"), await auth.sign_in_new(foreign, "sales")
    zoes_phone = await auth.sign_in(zoe.user.email)
    call = auth.auth.WatchRevocations(
        auth_pb2.WatchRevocationsRequest(), metadata=await auth.service_metadata(organization), timeout=20
    )
    await sign_out(auth, zoe)
    await call.initial_metadata()
    await sign_out(auth, zoes_phone)
    await sign_out(auth, ann)
    first = await call.read()
    assert isinstance(first, auth_pb2.WatchRevocationsResponse)
    assert (first.organization_id, first.user_id) == (organization, ann.user_id)
    call.cancel()


async def test_users_do_not_watch(auth: RunningAuth, organization: str) -> None:
    admin = await auth.sign_in_new(organization, "admin")
    with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
        call = auth.auth.WatchRevocations(auth_pb2.WatchRevocationsRequest(), metadata=admin.metadata, timeout=20)
        await call.read()


async def test_a_watcher_that_reads_too_slowly_is_ended() -> None:
    watcher = _Watcher()
    one = Revocation("acme", "ann", "session", RevocationReason.SESSION_REVOKED)
    watcher.offer([one] * MAX_PENDING)
    assert await watcher.take() == [one] * MAX_PENDING
    watcher.offer([one] * MAX_PENDING)
    assert watcher.pending == MAX_PENDING
    watcher.offer([one])
    watcher.offer([one])
    assert watcher.pending == 0
    with pytest.raises(ResourceExhaustedError, match="WATCHER_TOO_SLOW"):
        await watcher.take()
