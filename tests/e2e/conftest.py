"""Fixtures: the whole stack with two replicas of each service that may have several, through its public port."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from parley.auth.v1 import directory_pb2, directory_pb2_grpc, user_pb2
from parley_client.client import Client
from parley_client.options import Options

from chassis.rpc.channel import ServiceTokens, open_channel
from deploy.local.options import StackOptions
from deploy.local.seed import seed_demo
from deploy.local.stack import LocalStack

REPLICAS = {"chat": 2, "gateway": 2, "presence": 2, "notify": 2}
PASSWORD = "parley-test-password"
TIMEOUT = 60.0


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """A stack with its own ports and databases."""
    options = StackOptions(settings={"chat": {"PARLEY_MESSAGES_PER_SECOND": "1000"}})
    stack = LocalStack(tmp_path_factory.mktemp("stack"), replicas=REPLICAS, options=options)
    async with stack:
        await seed_demo(stack.grpc_target, stack.credentials)
        yield stack


@dataclass
class Company:
    """An organization of one test, with methods to create users and clients."""

    stack: LocalStack
    organization_id: str
    directory: directory_pb2_grpc.DirectoryServiceStub
    tokens: ServiceTokens
    clients: list[Client] = field(default_factory=list)

    async def create_user(self, user_id: str, role: str = "manager", *teams: str) -> str:
        """Creates a user; returns their e-mail address."""
        email = f"{user_id}@{self.organization_id}.example"
        user = user_pb2.User(
            user_id=user_id,
            name=user_id.title(),
            email=email,
            role=user_pb2.Role.Value(f"ROLE_{role.upper()}"),
            teams=teams,
        )
        await self.directory.CreateUser(
            directory_pb2.CreateUserRequest(user=user, password=PASSWORD),
            metadata=await self.tokens.metadata(self.organization_id),
            timeout=TIMEOUT,
        )
        return email

    async def change_role(self, user_id: str, role: str) -> None:
        """Changes a user's role, which revokes the user's tokens."""
        user = user_pb2.User(user_id=user_id, role=user_pb2.Role.Value(f"ROLE_{role.upper()}"))
        request = directory_pb2.UpdateUserRequest(user=user, update_mask=FieldMask(paths=["role"]))
        metadata = await self.tokens.metadata(self.organization_id)
        await self.directory.UpdateUser(request, metadata=metadata, timeout=TIMEOUT)

    async def client(self, user_id: str, options: Options | None = None) -> Client:
        """Connects a client of a user; the fixture closes it."""
        email = f"{user_id}@{self.organization_id}.example"
        client = Client.sign_in(self.stack.url, email, PASSWORD, options or Options())
        self.clients.append(client)
        await client.start()
        await client.ready(TIMEOUT)
        return client


@pytest.fixture
async def company(stack: LocalStack) -> AsyncIterator[Company]:
    """An organization that no other test uses."""
    async with new_company(stack) as company:
        yield company


@asynccontextmanager
async def new_company(stack: LocalStack) -> AsyncIterator[Company]:
    """Creates an organization; closes its clients on leaving."""
    organization_id = f"org-{secrets.token_hex(6)}"
    async with open_channel(stack.grpc_target) as channel:
        tokens = ServiceTokens(channel, "operator", stack.credentials.service_secrets["operator"])
        directory = directory_pb2_grpc.DirectoryServiceStub(channel)
        organization = user_pb2.Organization(organization_id=organization_id, name="A company")
        await directory.CreateOrganization(
            directory_pb2.CreateOrganizationRequest(organization=organization),
            metadata=await tokens.metadata(),
            timeout=TIMEOUT,
        )
        company = Company(stack, organization_id, directory, tokens)
        yield company
        await asyncio.gather(*(client.close() for client in company.clients))
