"""What a scenario needs of a system under test, Parley or a peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.sockets import Socket


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the system."""

    user_id: str
    token: str


class System(Protocol):
    """A system that is up."""

    @property
    def name(self) -> str:
        """As the table shows it."""

    @property
    def pids(self) -> Mapping[str, int]:
        """Its processes."""

    @property
    def in_order(self) -> bool:
        """Whether it promises that everybody sees a conversation's messages in one order."""

    async def people(self, count: int) -> Sequence[Person]:
        """So many new users, of one organization."""

    async def connect(self, person: Person) -> Socket:
        """A connection of a user, ready."""

    async def direct(self, one: Socket, other: Person) -> str:
        """The direct conversation of two, made by the first."""

    async def group(self, owner: Socket, others: Sequence[Person]) -> str:
        """A new group of the owner and others, all of whom are connected."""
