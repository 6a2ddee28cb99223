"""Creates the demo organization and its users through the public port, as an administrator would.

Existing users stay unchanged, so manual changes survive a restart.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import grpc
import grpc.aio
from parley.auth.v1 import directory_pb2, directory_pb2_grpc, user_pb2

from chassis.errors import AlreadyExistsError, AppError
from chassis.rpc.channel import CALL_TIMEOUT_SECONDS, Metadata, ServiceTokens, open_channel
from chassis.rpc.status import from_rpc_error
from deploy.local.credentials import Credentials
from deploy.local.errors import StackError

ORGANIZATION: Final = "demo"
PASSWORD: Final = "parley-demo"  # noqa: S105  # a demo password, printed at start-up
_OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True)
class Account:
    """A demo user."""

    user_id: str
    name: str
    role: user_pb2.Role.ValueType
    teams: tuple[str, ...] = ()

    @property
    def email(self) -> str:
        """The user's e-mail address for signing in; all users share one password."""
        return f"{self.user_id}@demo.example"


_EAST: Final = ("east",)
ACCOUNTS: Final = (
    Account("admin", "Ada Admin", user_pb2.ROLE_ADMIN),
    Account("manager", "Mara Manager", user_pb2.ROLE_MANAGER),
    Account("lead", "Leo Lead", user_pb2.ROLE_LEAD, _EAST),
    Account("sales", "Sara Sales", user_pb2.ROLE_SALES, _EAST),
    Account("sales2", "Sam Sales", user_pb2.ROLE_SALES, _EAST),
    Account("employee", "Emil Employee", user_pb2.ROLE_EMPLOYEE),
    Account("client", "Clara Client", user_pb2.ROLE_CLIENT),
    Account("client2", "Carl Client", user_pb2.ROLE_CLIENT),
    Account("l1", "Lena Support", user_pb2.ROLE_AGENT_L1),
    Account("l2", "Luis Support", user_pb2.ROLE_AGENT_L2),
    Account("l3", "Lin Support", user_pb2.ROLE_AGENT_L3),
)


async def seed_demo(grpc_target: str, credentials: Credentials) -> None:
    """Creates the demo organization and its missing users.

    Args:
        grpc_target: the stack's public address.
        credentials: the stack's secrets; uses the operator's.

    Raises:
        StackError: a call failed.
    """
    async with open_channel(grpc_target) as channel:
        tokens = ServiceTokens(channel, _OPERATOR, credentials.service_secrets[_OPERATOR])
        directory = directory_pb2_grpc.DirectoryServiceStub(channel)
        try:
            await _create_organization(directory, await tokens.metadata())
            metadata = await tokens.metadata(ORGANIZATION)
            async with asyncio.TaskGroup() as tasks:
                for account in ACCOUNTS:
                    tasks.create_task(_create_user(directory, account, metadata))
        except AppError as error:
            raise StackError(f"Cannot create the demo users: {error}.") from error
        except ExceptionGroup as failures:
            raise StackError(f"Cannot create the demo users: {failures.exceptions[0]}.") from failures


async def _create_organization(directory: directory_pb2_grpc.DirectoryServiceStub, metadata: Metadata) -> None:
    organization = user_pb2.Organization(organization_id=ORGANIZATION, name="Demo")
    request = directory_pb2.CreateOrganizationRequest(organization=organization)
    try:
        await directory.CreateOrganization(request, metadata=metadata, timeout=CALL_TIMEOUT_SECONDS)
    except grpc.aio.AioRpcError as error:
        _raise_unless_exists(error)


async def _create_user(
    directory: directory_pb2_grpc.DirectoryServiceStub, account: Account, metadata: Metadata
) -> None:
    user = user_pb2.User(
        user_id=account.user_id, name=account.name, email=account.email, role=account.role, teams=account.teams
    )
    request = directory_pb2.CreateUserRequest(user=user, password=PASSWORD)
    try:
        await directory.CreateUser(request, metadata=metadata, timeout=CALL_TIMEOUT_SECONDS)
    except grpc.aio.AioRpcError as error:
        _raise_unless_exists(error)


def _raise_unless_exists(error: grpc.aio.AioRpcError) -> None:
    failure = from_rpc_error(error)
    if not isinstance(failure, AlreadyExistsError):
        raise failure from error
