"""The simulated organizations, users, groups and pairs; the seed determines them."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from enum import StrEnum

from parley.auth.v1 import directory_pb2, directory_pb2_grpc, user_pb2
from parley_client.client import Client
from parley_client.options import Options

from chassis.rpc.channel import ServiceTokens, open_channel
from deploy.local.stack import LocalStack
from tests.faults.history import UserKey

PASSWORD = "parley-faults-password"
_TIMEOUT = 20.0
_GROUP_SIZE = 5


class Habit(StrEnum):
    """How a user is connected."""

    STEADY = "steady"
    """Always connected, as far as the network allows."""
    COMING_AND_GOING = "coming and going"
    """Sometimes disconnects, and returns as a new client."""
    ABSENT = "absent"
    """Never connects."""


@dataclass(frozen=True, slots=True)
class User:
    """A user to create, with `devices` clients at once."""

    key: UserKey
    habit: Habit
    devices: int

    @property
    def email(self) -> str:
        """The e-mail address to sign in with."""
        return f"{self.key.user_id}@{self.key.organization_id}.example"


@dataclass(frozen=True, slots=True)
class Group:
    """A group to create."""

    owner: UserKey
    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Population:
    """The users, the groups, and the pairs with direct conversations."""

    users: tuple[User, ...]
    groups: tuple[Group, ...]
    pairs: tuple[tuple[UserKey, UserKey], ...]


def populate(seed: int, clients: int, organizations: int) -> Population:
    """Returns a population with about this number of clients, spread over the organizations."""
    chance = random.Random(f"population {seed}")
    users: list[User] = []
    groups: list[Group] = []
    pairs: list[tuple[UserKey, UserKey]] = []
    for number in range(organizations):
        members = _members(f"org{number}", max(4, clients // organizations))
        users += members
        ids = [user.key.user_id for user in members]
        for index in range(max(2, len(ids) // 4)):
            owner = members[index].key
            others = chance.sample([user for user in ids if user != owner.user_id], min(_GROUP_SIZE - 1, len(ids) - 1))
            groups.append(Group(owner, f"Group {index}", tuple(others)))
        for index, user in enumerate(members):
            pairs.append((user.key, members[(index + 1) % len(members)].key))
    return Population(tuple(users), tuple(groups), tuple(pairs))


def _members(organization_id: str, clients: int) -> list[User]:
    """Returns an organization's users: every sixth has two devices, every fifth comes and goes, the last is absent."""
    users: list[User] = []
    devices = 0
    while devices < clients:
        index = len(users)
        habit = Habit.COMING_AND_GOING if index % 5 == 4 else Habit.STEADY
        own_devices = 2 if index % 6 == 1 else 1
        users.append(User(UserKey(organization_id, f"u{index}"), habit, own_devices))
        devices += own_devices
    users.append(User(UserKey(organization_id, f"u{len(users)}"), Habit.ABSENT, 0))
    return users


async def create(stack: LocalStack, population: Population) -> None:
    """Creates the organizations, users and conversations."""
    async with open_channel(stack.grpc_target) as channel:
        tokens = ServiceTokens(channel, "operator", stack.credentials.service_secrets["operator"])
        directory = directory_pb2_grpc.DirectoryServiceStub(channel)
        for organization_id in sorted({user.key.organization_id for user in population.users}):
            organization = user_pb2.Organization(organization_id=organization_id, name=organization_id)
            await directory.CreateOrganization(
                directory_pb2.CreateOrganizationRequest(organization=organization),
                metadata=await tokens.metadata(),
                timeout=_TIMEOUT,
            )
        for user in population.users:
            await directory.CreateUser(
                directory_pb2.CreateUserRequest(user=_user(user), password=PASSWORD),
                metadata=await tokens.metadata(user.key.organization_id),
                timeout=_TIMEOUT,
            )
    await _open_conversations(stack.url, population)


def _user(user: User) -> user_pb2.User:
    return user_pb2.User(
        user_id=user.key.user_id,
        name=user.key.user_id.upper(),
        email=user.email,
        role=user_pb2.ROLE_MANAGER,
    )


async def _open_conversations(url: str, population: Population) -> None:
    emails = {user.key: user.email for user in population.users}
    options = Options(track_state=False)
    for key in sorted({group.owner for group in population.groups} | {first for first, _ in population.pairs}):
        async with Client.sign_in(url, emails[key], PASSWORD, options) as client:
            creating = [
                client.conversation_create(kind="group", name=g.name, member_ids=g.members)
                for g in population.groups
                if g.owner == key
            ]
            opening = [
                client.conversation_direct(user_id=other.user_id) for first, other in population.pairs if first == key
            ]
            await asyncio.gather(*creating, *opening)
