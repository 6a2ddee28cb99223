"""A token that was revoked opens no door, in processes that run and in those that start later."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest
from parley.auth.v1 import auth_pb2, directory_pb2, user_pb2
from parley.presence.v1 import presence_pb2, presence_pb2_grpc

from chassis.rpc.channel import open_channel
from chassis.rpc.status import from_rpc_error
from services.auth.bus import RevocationLog
from tests.attacks.revoked_tokens.doors import expect_closed, expect_closed_soon, expect_open, running_doors
from tests.component.auth_service import RunningAuth, SignedIn, auth_settings, drop_database, running_auth
from tests.component.gateway.websocket.conftest import SCOPES
from tests.component.gateway.websocket.harness import Databases

TIMEOUT = 20.0


async def sign_out(auth: RunningAuth, user: SignedIn) -> None:
    await auth.auth.SignOut(auth_pb2.SignOutRequest(), metadata=user.metadata, timeout=TIMEOUT)


async def set_disabled(auth: RunningAuth, user: SignedIn, disabled: bool) -> None:
    await auth.update_user(user.user.organization_id, user.user_id, disabled=disabled)


async def refreshed(auth: RunningAuth, user: SignedIn) -> str:
    """Returns a new access token of the same session."""
    request = auth_pb2.RefreshTokenRequest(refresh_token=user.tokens.refresh_token)
    return (await auth.auth.RefreshToken(request, timeout=TIMEOUT)).tokens.access_token


async def test_a_token_of_an_ended_session_opens_nothing(
    auth: RunningAuth, stores: Databases, organization: str
) -> None:
    ann = await auth.sign_in_new(organization, "manager", user_id="me")
    other = await auth.sign_in(ann.user.email)
    async with running_doors(auth, stores) as doors:
        await expect_open(doors, ann.access_token)
        began = time.monotonic()
        await sign_out(auth, ann)
        await expect_closed_soon(doors, ann.access_token, "TOKEN_REVOKED", began)
        await expect_open(doors, other.access_token)
    async with running_doors(auth, stores) as restarted:
        await expect_closed(restarted, ann.access_token, "TOKEN_REVOKED")
        await expect_open(restarted, other.access_token)


async def test_a_disabled_user_s_tokens_open_nothing_even_once_it_is_enabled_again(
    auth: RunningAuth, stores: Databases, organization: str
) -> None:
    ann = await auth.sign_in_new(organization, "manager", user_id="me")
    async with running_doors(auth, stores) as doors:
        await expect_open(doors, ann.access_token)
        began = time.monotonic()
        await set_disabled(auth, ann, True)
        await expect_closed_soon(doors, ann.access_token, "ACCOUNT_DISABLED", began)
        await set_disabled(auth, ann, False)
        again = await auth.sign_in(ann.user.email)
        await expect_open(doors, again.access_token)
        await expect_closed(doors, ann.access_token, "ACCOUNT_DISABLED")
    async with running_doors(auth, stores) as restarted:
        await expect_closed(restarted, ann.access_token, "ACCOUNT_DISABLED")
        await expect_open(restarted, again.access_token)


async def test_a_token_with_a_role_that_was_taken_away_opens_nothing_and_a_refreshed_one_does(
    auth: RunningAuth, stores: Databases, organization: str
) -> None:
    ann = await auth.sign_in_new(organization, "admin", user_id="me")
    await auth.sign_in_new(organization, "admin")
    async with running_doors(auth, stores) as doors:
        await expect_open(doors, ann.access_token)
        socket = await doors.gateway.connect(ann)
        began = time.monotonic()
        await auth.update_user(organization, "me", role=user_pb2.ROLE_EMPLOYEE)
        assert await socket.closed() == 4401
        await expect_closed_soon(doors, ann.access_token, "TOKEN_REVOKED", began)
        token = await refreshed(auth, ann)
        await expect_open(doors, token)
    async with running_doors(auth, stores) as restarted:
        await expect_closed(restarted, ann.access_token, "TOKEN_REVOKED")
        await expect_open(restarted, token)


async def test_a_change_of_the_name_revokes_nothing(auth: RunningAuth, stores: Databases, organization: str) -> None:
    ann = await auth.sign_in_new(organization, "manager", user_id="me")
    async with running_doors(auth, stores) as doors:
        await auth.update_user(organization, "me", name="Another name")
        await asyncio.sleep(1.0)
        await expect_open(doors, ann.access_token)


async def test_an_open_stream_ends_with_the_token(auth: RunningAuth, stores: Databases, organization: str) -> None:
    ann = await auth.sign_in_new(organization, "manager", user_id="me")
    async with running_doors(auth, stores) as doors, open_channel(doors.targets.presence) as channel:
        call = presence_pb2_grpc.PresenceServiceStub(channel).WatchPresence(
            presence_pb2.WatchPresenceRequest(user_ids=["me"]), metadata=ann.metadata, timeout=60
        )
        await call.read()
        await sign_out(auth, ann)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async with asyncio.timeout(2.0):
                while await call.read() is not grpc.aio.EOF:
                    pass
        assert from_rpc_error(ended.value).reason == "TOKEN_REVOKED"


async def test_auth_refuses_revoked_tokens_in_every_replica_and_after_a_restart(
    stores: Databases, organization_id: str
) -> None:
    settings = auth_settings(stores.mongodb_uri, stores.redis_url)
    async with running_auth(stores.mongodb_uri, stores.redis_url, settings=settings, scopes=SCOPES) as one:
        await one.create_organization(organization_id)
        ann = await one.sign_in_new(organization_id, "manager")
        async with running_auth(stores.mongodb_uri, stores.redis_url, settings=settings) as other:
            await list_users(other, ann)
            await sign_out(one, ann)
            await asyncio.sleep(1.0)
            for replica in (one, other):
                assert await refusal_of(replica, ann) == "TOKEN_REVOKED"
    async with running_auth(stores.mongodb_uri, stores.redis_url, settings=settings) as restarted:
        assert await refusal_of(restarted, ann) == "TOKEN_REVOKED"
    await drop_database(settings)


async def list_users(auth: RunningAuth, user: SignedIn) -> None:
    await auth.directory.ListUsers(directory_pb2.ListUsersRequest(), metadata=user.metadata, timeout=TIMEOUT)


async def refusal_of(auth: RunningAuth, user: SignedIn) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await list_users(auth, user)
    return from_rpc_error(refused.value).reason


@pytest.fixture
def appended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The users of the revocations that are published."""
    users: list[str] = []
    append = RevocationLog.append

    async def record(log: RevocationLog, revocations: list[object]) -> None:
        users.extend(revocation.user_id for revocation in revocations)  # type: ignore[attr-defined]
        await append(log, revocations)  # type: ignore[arg-type]

    monkeypatch.setattr(RevocationLog, "append", record)
    return users


async def test_signing_out_over_and_over_publishes_once(
    auth: RunningAuth, organization: str, appended: list[str]
) -> None:
    ann = await auth.sign_in_new(organization, "manager")
    for _ in range(50):
        try:
            await sign_out(auth, ann)
        except grpc.aio.AioRpcError as error:
            assert from_rpc_error(error).reason == "TOKEN_REVOKED"
    assert appended.count(ann.user_id) == 1
