"""What users are called, and what they look like: looked up in the directory, and remembered for a while."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from parley.auth.v1.directory_pb2 import BatchGetUsersRequest
from parley.auth.v1.user_pb2 import User

from gateway.upstream.clients import Upstreams
from gateway.wire.enum_names import ROLES

REMEMBERED_SECONDS: Final = 300.0
_CAPACITY: Final = 50_000
_PER_CALL: Final = 200


class CachedUser(NamedTuple):
    """A user; one whom the directory doesn't know is called by the id."""

    user_id: str
    name: str
    role: str
    avatar_url: str


Fetch = Callable[[str, Sequence[str]], Awaitable[Iterable[User]]]
"""Asks the directory for at most 200 users of an organization. Raises AppError."""

_Key = tuple[str, str]


class UserCache:
    """The users of all organizations, as far as they were asked for.

    Args:
        fetch: asks the directory.
        now: seconds of a clock that only moves forward.
    """

    def __init__(self, fetch: Fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._known: OrderedDict[_Key, tuple[float, CachedUser]] = OrderedDict()
        self._asked: dict[_Key, asyncio.Task[Mapping[str, CachedUser]]] = {}

    def known(self, organization_id: str, user_id: str) -> CachedUser | None:
        """A user, if remembered."""
        found = self._known.get((organization_id, user_id))
        return found[1] if found is not None and found[0] > self._now() else None

    async def get(self, organization_id: str, user_ids: Iterable[str]) -> Mapping[str, CachedUser]:
        """Users by id, every one of them. Raises AppError."""
        people: dict[str, CachedUser] = {}
        missing = []
        for user_id in dict.fromkeys(user_ids):
            person = self.known(organization_id, user_id)
            if person is not None:
                people[user_id] = person
            else:
                missing.append(user_id)
        for user_id, asked in self._answers(organization_id, missing).items():
            people[user_id] = (await asyncio.shield(asked))[user_id]
        return people

    def _answers(
        self, organization_id: str, user_ids: Sequence[str]
    ) -> dict[str, asyncio.Task[Mapping[str, CachedUser]]]:
        """The questions whose answers have the users: each goes on by itself, whoever waits for it or doesn't."""
        new = [user_id for user_id in user_ids if (organization_id, user_id) not in self._asked]
        for start in range(0, len(new), _PER_CALL):
            part = new[start : start + _PER_CALL]
            asked = asyncio.create_task(self._ask(organization_id, part))
            asked.add_done_callback(_seen)
            self._asked |= {(organization_id, user_id): asked for user_id in part}
        return {user_id: self._asked[organization_id, user_id] for user_id in user_ids}

    async def _ask(self, organization_id: str, user_ids: Sequence[str]) -> Mapping[str, CachedUser]:
        try:
            found = {user.user_id: _person(user) for user in await self._fetch(organization_id, user_ids)}
        finally:
            for user_id in user_ids:
                del self._asked[organization_id, user_id]
        people = {user_id: found.get(user_id) or CachedUser(user_id, user_id, "", "") for user_id in user_ids}
        for person in people.values():
            self._remember(organization_id, person)
        return people

    def _remember(self, organization_id: str, person: CachedUser) -> None:
        self._known[organization_id, person.user_id] = (self._now() + REMEMBERED_SECONDS, person)
        self._known.move_to_end((organization_id, person.user_id))
        while len(self._known) > _CAPACITY:
            self._known.popitem(last=False)


def _seen(asked: asyncio.Task[Mapping[str, CachedUser]]) -> None:
    """An error is told to whoever waits, and may have come when nobody did."""
    if not asked.cancelled():
        asked.exception()


async def fetch_users(upstreams: Upstreams, organization_id: str, user_ids: Sequence[str]) -> Iterable[User]:
    """Asks the directory, as the gateway. Raises AppError."""
    request = BatchGetUsersRequest(user_ids=user_ids)
    response = await upstreams.call_as_gateway(
        upstreams.directory.BatchGetUsers, request, organization_id=organization_id
    )
    return response.users


def _person(user: User) -> CachedUser:
    return CachedUser(user.user_id, user.name, ROLES.name(user.role), user.avatar_url)
