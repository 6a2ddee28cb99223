"""The interface of a system under test, Parley or a peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.sockets import Socket


@dataclass(frozen=True, slots=True)
class User:
    """A user of the system."""

    user_id: str
    token: str


class System(Protocol):
    """A running system."""

    @property
    def name(self) -> str:
        """The title in the table."""

    @property
    def pids(self) -> Mapping[str, int]:
        """The process ids by process name."""

    @property
    def in_order(self) -> bool:
        """Whether all members of a conversation receive its messages in the same order."""

    async def create_users(self, count: int) -> Sequence[User]:
        """Creates users, all of one organization."""

    async def connect(self, user: User) -> Socket:
        """Opens a connection of a user."""

    async def direct(self, one: Socket, other: User) -> str:
        """Creates the direct conversation of two users; returns its id."""

    async def group(self, owner: Socket, others: Sequence[User]) -> str:
        """Creates a group of the owner and others, all of whom are connected; returns its id."""
