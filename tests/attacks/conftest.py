"""Fixtures: a stack to attack, with two replicas of what an attack might take out, through Envoy's public port."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import grpc
import pytest
from parley.auth.v1 import auth_pb2_grpc, directory_pb2, directory_pb2_grpc, user_pb2

from chassis.rpc.channel import ServiceTokens, open_channel
from deploy.local.options import StackOptions
from deploy.local.stack import LocalStack
from tests.attacks.victims import Organization

TIMEOUT = 60.0


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """A stack with its own ports and databases, which restarts no process."""
    options = StackOptions(mongodb_cache_gigabytes=0.25, restart_crashed=False)
    async with LocalStack(
        tmp_path_factory.mktemp("attacked"), replicas={"auth": 2, "gateway": 2}, options=options
    ) as running:
        yield running


@pytest.fixture(scope="session")
async def channel(stack: LocalStack) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the public port."""
    async with open_channel(stack.grpc_target) as opened:
        yield opened


@pytest.fixture
async def organization(stack: LocalStack, channel: grpc.aio.Channel) -> Organization:
    """An organization that no other test uses."""
    organization_id = f"org-{secrets.token_hex(6)}"
    tokens = ServiceTokens(channel, "operator", stack.credentials.service_secrets["operator"])
    directory = directory_pb2_grpc.DirectoryServiceStub(channel)
    await directory.CreateOrganization(
        directory_pb2.CreateOrganizationRequest(
            organization=user_pb2.Organization(organization_id=organization_id, name="A company")
        ),
        metadata=await tokens.metadata(),
        timeout=TIMEOUT,
    )
    return Organization(organization_id, auth_pb2_grpc.AuthServiceStub(channel), directory, tokens)
