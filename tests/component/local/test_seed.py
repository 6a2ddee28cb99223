"""Seeding creates the demo organization, and keeps later changes to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from parley.auth.v1 import auth_pb2, auth_pb2_grpc, directory_pb2, directory_pb2_grpc, user_pb2

from chassis.rpc.channel import bearer
from deploy.local.credentials import Credentials
from deploy.local.errors import StackError
from deploy.local.options import StackOptions
from deploy.local.seed import ACCOUNTS, PASSWORD, seed_demo
from deploy.local.services import SERVICES, Service
from deploy.local.stack import LocalStack

CHEAP_PASSWORDS = {"PARLEY_PASSWORD_MEMORY_KIB": "1024", "PARLEY_PASSWORD_TIME_COST": "1"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(
    session_directory: Path, plain_services: tuple[Service, ...], embedded: StackOptions
) -> AsyncIterator[LocalStack]:
    """Yields a stack with the real auth service."""
    auth = next(service for service in SERVICES if service.name == "auth")
    services = tuple(auth if service.name == "auth" else service for service in plain_services)
    options = replace(embedded, settings={"auth": CHEAP_PASSWORDS})
    async with LocalStack(session_directory / "seeded", options=options, services=services) as seeded_stack:
        yield seeded_stack


async def sign_in(channel: grpc.aio.Channel, email: str) -> auth_pb2.SignInResponse:
    """Signs a demo user in."""
    request = auth_pb2.SignInRequest(email=email, password=PASSWORD)
    return await auth_pb2_grpc.AuthServiceStub(channel).SignIn(request, timeout=30)


async def test_every_account_signs_in_and_changes_by_hand_survive_another_seeding(stack: LocalStack) -> None:
    await seed_demo(stack.grpc_target, stack.credentials)
    async with grpc.aio.insecure_channel(stack.grpc_target) as channel:
        for account in ACCOUNTS:
            user = (await sign_in(channel, account.email)).user
            assert (user.user_id, user.organization_id, user.role) == (account.user_id, "demo", account.role)
            assert tuple(user.teams) == account.teams

        admin = (await sign_in(channel, "admin@demo.example")).tokens.access_token
        renamed = directory_pb2.UpdateUserRequest(
            user=user_pb2.User(user_id="sales", name="Renamed"), update_mask=FieldMask(paths=["name"])
        )
        await directory_pb2_grpc.DirectoryServiceStub(channel).UpdateUser(renamed, metadata=bearer(admin), timeout=30)
        await seed_demo(stack.grpc_target, stack.credentials)
        assert (await sign_in(channel, "sales@demo.example")).user.name == "Renamed"


async def test_an_unknown_secret_is_reported(stack: LocalStack) -> None:
    wrong = Credentials({"operator": "not the operator's secret"}, stack.credentials.key_encryption_key)
    with pytest.raises(StackError, match=r"Cannot create the demo users: UNAUTHENTICATED"):
        await seed_demo(stack.grpc_target, wrong)


def test_there_is_one_account_for_each_role_of_people() -> None:
    assert {
        account.user_id: user_pb2.Role.Name(account.role).removeprefix("ROLE_").lower() for account in ACCOUNTS
    } == {
        "admin": "admin",
        "manager": "manager",
        "lead": "lead",
        "sales": "sales",
        "sales2": "sales",
        "employee": "employee",
        "client": "client",
        "client2": "client",
        "l1": "agent_l1",
        "l2": "agent_l2",
        "l3": "agent_l3",
    }
