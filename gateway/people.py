"""What users are called, and what they look like: looked up in the directory, and remembered for a while."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from parley.auth.v1.directory_pb2 import BatchGetUsersRequest
from parley.auth.v1.user_pb2 import User

from gateway.names import ROLES
from gateway.upstreams import Upstreams

REMEMBERED_SECONDS: Final = 300.0
_CAPACITY: Final = 50_000
_PER_CALL: Final = 200


class Person(NamedTuple):
    """A user; one whom the directory doesn't know is called by the id."""

    user_id: str
    name: str
    role: str
    avatar_url: str


Fetch = Callable[[str, Sequence[str]], Awaitable[Iterable[User]]]
"""Asks the directory for at most 200 users of an organization. Raises AppError."""

_Key = tuple[str, str]


class People:
    """The users of all organizations, as far as they were asked for.

    Args:
        fetch: asks the directory.
        now: seconds of a clock that only moves forward.
    """

    def __init__(self, fetch: Fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._known: OrderedDict[_Key, tuple[float, Person]] = OrderedDict()
        self._asked: dict[_Key, asyncio.Future[Person]] = {}

    def known(self, organization_id: str, user_id: str) -> Person | None:
        """A user, if remembered."""
        found = self._known.get((organization_id, user_id))
        return found[1] if found is not None and found[0] > self._now() else None

    async def get(self, organization_id: str, user_ids: Iterable[str]) -> Mapping[str, Person]:
        """Users by id, every one of them. Raises AppError."""
        wanted = dict.fromkeys(user_ids)
        people: dict[str, Person] = {}
        asked: dict[str, asyncio.Future[Person]] = {}
        missing = []
        for user_id in wanted:
            person = self.known(organization_id, user_id)
            if person is not None:
                people[user_id] = person
            elif (already := self._asked.get((organization_id, user_id))) is not None:
                asked[user_id] = already
            else:
                missing.append(user_id)
        for start in range(0, len(missing), _PER_CALL):
            people |= await self._ask(organization_id, missing[start : start + _PER_CALL])
        for user_id, answer in asked.items():
            people[user_id] = await asyncio.shield(answer)
        return people

    async def _ask(self, organization_id: str, user_ids: Sequence[str]) -> dict[str, Person]:
        loop = asyncio.get_running_loop()
        answers: dict[str, asyncio.Future[Person]] = {user_id: loop.create_future() for user_id in user_ids}
        self._asked |= {(organization_id, user_id): answer for user_id, answer in answers.items()}
        try:
            found = {user.user_id: _person(user) for user in await self._fetch(organization_id, user_ids)}
        except BaseException as error:
            for answer in answers.values():
                answer.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
                answer.exception()  # seen, even where nobody else waits
            raise
        finally:
            for user_id in user_ids:
                del self._asked[organization_id, user_id]
        people = {user_id: found.get(user_id) or Person(user_id, user_id, "", "") for user_id in user_ids}
        for user_id, person in people.items():
            self._remember(organization_id, person)
            answers[user_id].set_result(person)
        return people

    def _remember(self, organization_id: str, person: Person) -> None:
        self._known[organization_id, person.user_id] = (self._now() + REMEMBERED_SECONDS, person)
        self._known.move_to_end((organization_id, person.user_id))
        while len(self._known) > _CAPACITY:
            self._known.popitem(last=False)


async def fetch_users(upstreams: Upstreams, organization_id: str, user_ids: Sequence[str]) -> Iterable[User]:
    """Asks the directory, as the gateway. Raises AppError."""
    request = BatchGetUsersRequest(user_ids=user_ids)
    response = await upstreams.call_as_gateway(
        upstreams.directory.BatchGetUsers, request, organization_id=organization_id
    )
    return response.users


def _person(user: User) -> Person:
    return Person(user.user_id, user.name, ROLES.name(user.role), user.avatar_url)
