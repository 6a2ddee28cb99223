"""Who takes part: organizations, their users, and whom they talk with. All of it follows from the seed."""

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
    """How much somebody is there."""

    STEADY = "steady"
    """Connected all the time, as far as the network lets them."""
    COMING_AND_GOING = "coming and going"
    """Leaves for a while, and comes back as a new client."""
    ABSENT = "absent"
    """Never connects."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user to be: `devices` clients at once, and the groups that they own by number."""

    key: UserKey
    habit: Habit
    devices: int

    @property
    def email(self) -> str:
        """What they sign in with."""
        return f"{self.key.user_id}@{self.key.organization_id}.example"


@dataclass(frozen=True, slots=True)
class Group:
    """A group to be."""

    owner: UserKey
    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Population:
    """Everybody, the groups, and the pairs who write to each other directly."""

    people: tuple[Person, ...]
    groups: tuple[Group, ...]
    pairs: tuple[tuple[UserKey, UserKey], ...]


def populate(seed: int, clients: int, organizations: int) -> Population:
    """About as many clients as asked for, over the organizations."""
    chance = random.Random(f"population {seed}")
    people: list[Person] = []
    groups: list[Group] = []
    pairs: list[tuple[UserKey, UserKey]] = []
    for number in range(organizations):
        members = _members(f"org{number}", max(4, clients // organizations))
        people += members
        ids = [person.key.user_id for person in members]
        for index in range(max(2, len(ids) // 4)):
            owner = members[index].key
            others = chance.sample([user for user in ids if user != owner.user_id], min(_GROUP_SIZE - 1, len(ids) - 1))
            groups.append(Group(owner, f"Group {index}", tuple(others)))
        for index, person in enumerate(members):
            pairs.append((person.key, members[(index + 1) % len(members)].key))
    return Population(tuple(people), tuple(groups), tuple(pairs))


def _members(organization_id: str, clients: int) -> list[Person]:
    """People with one device, but for a second one of every sixth; the last one is absent, some come and go."""
    people: list[Person] = []
    devices = 0
    while devices < clients:
        index = len(people)
        habit = Habit.COMING_AND_GOING if index % 5 == 4 else Habit.STEADY
        own_devices = 2 if index % 6 == 1 else 1
        people.append(Person(UserKey(organization_id, f"u{index}"), habit, own_devices))
        devices += own_devices
    people.append(Person(UserKey(organization_id, f"u{len(people)}"), Habit.ABSENT, 0))
    return people


async def settle(stack: LocalStack, population: Population) -> None:
    """Makes the organizations, users and conversations."""
    async with open_channel(stack.grpc_target) as channel:
        tokens = ServiceTokens(channel, "operator", stack.credentials.service_secrets["operator"])
        directory = directory_pb2_grpc.DirectoryServiceStub(channel)
        for organization_id in sorted({person.key.organization_id for person in population.people}):
            organization = user_pb2.Organization(organization_id=organization_id, name=organization_id)
            await directory.CreateOrganization(
                directory_pb2.CreateOrganizationRequest(organization=organization),
                metadata=await tokens.metadata(),
                timeout=_TIMEOUT,
            )
        for person in population.people:
            await directory.CreateUser(
                directory_pb2.CreateUserRequest(user=_user(person), password=PASSWORD),
                metadata=await tokens.metadata(person.key.organization_id),
                timeout=_TIMEOUT,
            )
    await _open_conversations(stack.url, population)


def _user(person: Person) -> user_pb2.User:
    return user_pb2.User(
        user_id=person.key.user_id,
        name=person.key.user_id.upper(),
        email=person.email,
        role=user_pb2.ROLE_MANAGER,
    )


async def _open_conversations(url: str, population: Population) -> None:
    emails = {person.key: person.email for person in population.people}
    options = Options(track_state=False)
    for key in sorted({group.owner for group in population.groups} | {one for one, _ in population.pairs}):
        async with Client.sign_in(url, emails[key], PASSWORD, options) as client:
            made = [
                client.conversation_create(kind="group", name=g.name, member_ids=g.members)
                for g in population.groups
                if g.owner == key
            ]
            found = [client.conversation_direct(user_id=other.user_id) for one, other in population.pairs if one == key]
            await asyncio.gather(*made, *found)
