"""Users' names, roles and avatars: looked up in the directory, and cached for five minutes."""

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

TTL_SECONDS: Final = 300.0
_CAPACITY: Final = 50_000
_USERS_PER_CALL: Final = 200


class CachedUser(NamedTuple):
    """A user. For one that the directory does not know, the name is the id, and the rest is empty."""

    user_id: str
    name: str
    role: str
    avatar_url: str


Fetch = Callable[[str, Sequence[str]], Awaitable[Iterable[User]]]
"""Fetches at most 200 users of an organization from the directory. Raises AppError."""

_Key = tuple[str, str]


class UserCache:
    """Users of all organizations, fetched when they are needed. Concurrent lookups of a user share one call.

    Args:
        fetch: fetches users from the directory.
        now: returns the time in seconds, of a monotonic clock.
    """

    def __init__(self, fetch: Fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._entries: OrderedDict[_Key, tuple[float, CachedUser]] = OrderedDict()
        self._lookups: dict[_Key, asyncio.Task[Mapping[str, CachedUser]]] = {}

    def cached(self, organization_id: str, user_id: str) -> CachedUser | None:
        """Returns a user if cached."""
        entry = self._entries.get((organization_id, user_id))
        return entry[1] if entry is not None and entry[0] > self._now() else None

    async def get(self, organization_id: str, user_ids: Iterable[str]) -> Mapping[str, CachedUser]:
        """Returns all of the users, by id. Raises AppError."""
        users: dict[str, CachedUser] = {}
        missing = []
        for user_id in dict.fromkeys(user_ids):
            user = self.cached(organization_id, user_id)
            if user is not None:
                users[user_id] = user
            else:
                missing.append(user_id)
        for user_id, lookup in self._lookups_of(organization_id, missing).items():
            users[user_id] = (await asyncio.shield(lookup))[user_id]
        return users

    def _lookups_of(
        self, organization_id: str, user_ids: Sequence[str]
    ) -> dict[str, asyncio.Task[Mapping[str, CachedUser]]]:
        """Returns the lookup of each user, new or in progress. A lookup goes on when its callers are cancelled."""
        new = [user_id for user_id in user_ids if (organization_id, user_id) not in self._lookups]
        for start in range(0, len(new), _USERS_PER_CALL):
            part = new[start : start + _USERS_PER_CALL]
            lookup = asyncio.create_task(self._look_up(organization_id, part))
            lookup.add_done_callback(_retrieve_exception)
            self._lookups |= {(organization_id, user_id): lookup for user_id in part}
        return {user_id: self._lookups[organization_id, user_id] for user_id in user_ids}

    async def _look_up(self, organization_id: str, user_ids: Sequence[str]) -> Mapping[str, CachedUser]:
        try:
            found = {user.user_id: _cached_user(user) for user in await self._fetch(organization_id, user_ids)}
        finally:
            for user_id in user_ids:
                del self._lookups[organization_id, user_id]
        users = {user_id: found.get(user_id) or CachedUser(user_id, user_id, "", "") for user_id in user_ids}
        for user in users.values():
            self._store(organization_id, user)
        return users

    def _store(self, organization_id: str, user: CachedUser) -> None:
        self._entries[organization_id, user.user_id] = (self._now() + TTL_SECONDS, user)
        self._entries.move_to_end((organization_id, user.user_id))
        while len(self._entries) > _CAPACITY:
            self._entries.popitem(last=False)


def _retrieve_exception(lookup: asyncio.Task[Mapping[str, CachedUser]]) -> None:
    """Keeps asyncio from logging the error of a lookup whose callers are all gone."""
    if not lookup.cancelled():
        lookup.exception()


async def fetch_users(upstreams: Upstreams, organization_id: str, user_ids: Sequence[str]) -> Iterable[User]:
    """Fetches users from the directory with the gateway's own token. Raises AppError."""
    request = BatchGetUsersRequest(user_ids=user_ids)
    response = await upstreams.call_as_gateway(
        upstreams.directory.BatchGetUsers, request, organization_id=organization_id
    )
    return response.users


def _cached_user(user: User) -> CachedUser:
    return CachedUser(user.user_id, user.name, ROLES.name(user.role), user.avatar_url)
