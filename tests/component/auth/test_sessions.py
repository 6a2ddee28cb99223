"""Tests of refresh tokens: single use, rotation, reuse, and the grace period for lost responses."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import grpc
import pytest
from parley.auth.v1 import auth_pb2, directory_pb2

from chassis.errors import Category
from chassis.identity import TokenVerifier
from chassis.rpc.channel import bearer
from services.auth.sessions import parse_refresh_token
from tests.component.auth.clocks import MovableClock
from tests.component.auth.expectations import refused
from tests.component.auth_service import RunningAuth, SignedIn, running_auth


@pytest.fixture(scope="module")
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="module")
async def auth(mongodb_uri: str, redis_url: str, clock: MovableClock) -> AsyncIterator[RunningAuth]:
    """A service whose clock the tests of this module move."""
    async with running_auth(mongodb_uri, redis_url, unix_time=clock) as running:
        yield running


@pytest.fixture
async def ann(auth: RunningAuth, organization: str) -> SignedIn:
    return await auth.sign_in_new(organization, "lead", teams=["east"])


async def refresh(auth: RunningAuth, token: str) -> auth_pb2.RefreshTokenResponse:
    return await auth.auth.RefreshToken(auth_pb2.RefreshTokenRequest(refresh_token=token), timeout=20)


async def test_a_refresh_gives_a_new_pair_for_the_same_session_and_the_user_as_of_now(
    auth: RunningAuth, organization: str, ann: SignedIn, clock: MovableClock
) -> None:
    await auth.update_user(organization, ann.user_id, name="Ann Other")
    clock.move(60)
    response = await refresh(auth, ann.tokens.refresh_token)
    assert response.tokens.refresh_token != ann.tokens.refresh_token
    assert response.tokens.expire_time.seconds == ann.tokens.expire_time.seconds + 60
    assert response.user.name == "Ann Other"

    async def keys() -> str:
        return (await auth.auth.ListKeys(auth_pb2.ListKeysRequest(), timeout=20)).jwks

    verifier = TokenVerifier(keys, clock)
    before = await verifier.verify(ann.access_token)
    after = await verifier.verify(response.tokens.access_token)
    assert (after.session_id, after.user_id, after.name) == (before.session_id, before.user_id, "Ann Other")


async def test_a_token_used_after_its_successor_ends_the_session(auth: RunningAuth, ann: SignedIn) -> None:
    second = (await refresh(auth, ann.tokens.refresh_token)).tokens.refresh_token
    third = (await refresh(auth, second)).tokens.refresh_token
    with refused(Category.UNAUTHENTICATED, "REFRESH_TOKEN_REUSED"):
        await refresh(auth, ann.tokens.refresh_token)
    for token in (ann.tokens.refresh_token, second, third):
        with refused(Category.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN"):
            await refresh(auth, token)


async def test_a_token_used_again_after_the_grace_ends_the_session(
    auth: RunningAuth, ann: SignedIn, clock: MovableClock
) -> None:
    second = (await refresh(auth, ann.tokens.refresh_token)).tokens.refresh_token
    clock.move(auth.settings.refresh_grace_seconds + 0.01)
    with refused(Category.UNAUTHENTICATED, "REFRESH_TOKEN_REUSED"):
        await refresh(auth, ann.tokens.refresh_token)
    with refused(Category.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN"):
        await refresh(auth, second)


async def test_a_refresh_whose_answer_was_lost_is_repeated_with_the_same_outcome(
    auth: RunningAuth, ann: SignedIn, clock: MovableClock
) -> None:
    lost = (await refresh(auth, ann.tokens.refresh_token)).tokens.refresh_token
    clock.move(auth.settings.refresh_grace_seconds)
    assert (await refresh(auth, ann.tokens.refresh_token)).tokens.refresh_token == lost
    assert await refresh(auth, lost)


async def test_refreshes_at_once_with_one_token_meet_in_one_successor(auth: RunningAuth, ann: SignedIn) -> None:
    responses = await asyncio.gather(*(refresh(auth, ann.tokens.refresh_token) for _ in range(8)))
    successors = {response.tokens.refresh_token for response in responses}
    assert len(successors) == 1
    assert await refresh(auth, successors.pop())


async def test_a_stolen_token_is_noticed_whoever_comes_first(auth: RunningAuth, ann: SignedIn) -> None:
    thief = (await refresh(auth, ann.tokens.refresh_token)).tokens.refresh_token
    thief = (await refresh(auth, thief)).tokens.refresh_token
    with refused(Category.UNAUTHENTICATED, "REFRESH_TOKEN_REUSED"):
        await refresh(auth, ann.tokens.refresh_token)
    with refused(Category.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN"):
        await refresh(auth, thief)


@pytest.mark.parametrize("text", ["", "x", "x" * 86, "é" * 86, "x" * 100_000, "a.b.c", "A" * 85 + "="])
async def test_what_is_no_refresh_token_is_refused(auth: RunningAuth, text: str) -> None:
    with refused(Category.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN"):
        await refresh(auth, text)


async def test_knowing_a_session_s_id_is_not_enough_to_end_it(auth: RunningAuth, ann: SignedIn) -> None:
    token = parse_refresh_token(ann.tokens.refresh_token)
    forged = token._replace(family=secrets.token_bytes(16), secret=secrets.token_bytes(32))
    with refused(Category.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN"):
        await refresh(auth, forged.encode())
    assert await refresh(auth, ann.tokens.refresh_token)


async def test_an_access_token_is_no_refresh_token_and_the_other_way_round(auth: RunningAuth, ann: SignedIn) -> None:
    with refused(Category.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN"):
        await refresh(auth, ann.access_token)
    with refused(Category.UNAUTHENTICATED, "TOKEN_INVALID"):
        await auth.auth.SignOut(auth_pb2.SignOutRequest(), metadata=bearer(ann.tokens.refresh_token), timeout=20)


async def test_a_session_lives_as_long_as_it_is_refreshed_in_time(
    auth: RunningAuth, ann: SignedIn, clock: MovableClock
) -> None:
    token = ann.tokens.refresh_token
    for _ in range(3):
        clock.move(auth.settings.session_seconds - 1)
        token = (await refresh(auth, token)).tokens.refresh_token
    clock.move(auth.settings.session_seconds)
    with refused(Category.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN"):
        await refresh(auth, token)


async def test_signing_out_ends_this_session_alone(auth: RunningAuth, ann: SignedIn) -> None:
    other = await auth.sign_in(ann.user.email)
    await auth.auth.SignOut(auth_pb2.SignOutRequest(), metadata=ann.metadata, timeout=20)
    with refused(Category.UNAUTHENTICATED, "TOKEN_REVOKED"):
        await auth.auth.SignOut(auth_pb2.SignOutRequest(), metadata=ann.metadata, timeout=20)
    with refused(Category.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN"):
        await refresh(auth, ann.tokens.refresh_token)
    assert await refresh(auth, other.tokens.refresh_token)


async def test_a_disabled_account_s_sessions_do_not_come_back_when_it_is_enabled_again(
    auth: RunningAuth, organization: str, ann: SignedIn
) -> None:
    service = await auth.service_metadata(organization)
    await auth.directory.DeactivateUser(
        directory_pb2.DeactivateUserRequest(user_id=ann.user_id), metadata=service, timeout=20
    )
    with refused(Category.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN"):
        await refresh(auth, ann.tokens.refresh_token)
    await auth.update_user(organization, ann.user_id, disabled=False)
    with refused(Category.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN"):
        await refresh(auth, ann.tokens.refresh_token)
    assert await auth.sign_in(ann.user.email)


async def test_disabling_an_account_while_it_signs_in_leaves_no_session_that_can_be_refreshed(
    auth: RunningAuth, organization: str
) -> None:
    service = await auth.service_metadata(organization)
    for _ in range(5):
        user = (await auth.sign_in_new(organization, "sales")).user
        signed_in, _ = await asyncio.gather(
            auth.sign_in(user.email),
            auth.directory.DeactivateUser(
                directory_pb2.DeactivateUserRequest(user_id=user.user_id), metadata=service, timeout=20
            ),
            return_exceptions=True,
        )
        if isinstance(signed_in, SignedIn):
            with pytest.raises(grpc.aio.AioRpcError):
                await refresh(auth, signed_in.tokens.refresh_token)
        else:
            assert isinstance(signed_in, grpc.aio.AioRpcError)
