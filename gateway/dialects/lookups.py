"""Lookups of users' names and presence for dialects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from parley.chat.v1.chat_pb2 import Conversation
from parley.presence.v1.presence_pb2 import PRESENCE_STATUS_OFFLINE, BatchGetPresenceRequest, Presence

from chassis.errors import AppError
from gateway.dialects.base import Deferred, EncodedEvent, Payloads
from gateway.sessions.session import Session
from gateway.sessions.user_client import UserClient
from gateway.upstream.presence_cache import is_online
from gateway.upstream.user_cache import CachedUser, UserCache
from gateway.wire.timestamps import time_text

_USERS_PER_CALL: Final = 200


class UserProfile(NamedTuple):
    """A user as another user sees them."""

    user: CachedUser
    presence: Presence

    @property
    def is_online(self) -> bool:
        """Whether the user is online."""
        return is_online(self.presence)

    @property
    def last_seen(self) -> str | None:
        """When an offline user was last online, if known."""
        return last_seen(self.presence)


def last_seen(presence: Presence) -> str | None:
    """Returns when an offline user was last online, if known."""
    return time_text(presence.last_seen_time) if presence.HasField("last_seen_time") else None


async def load_profiles(client: UserClient, user_cache: UserCache, user_ids: Iterable[str]) -> dict[str, UserProfile]:
    """Returns users as the calling user sees them, by id. Raises AppError."""
    ids = list(dict.fromkeys(user_ids))
    users = await user_cache.get(client.identity.organization_id, ids)
    presences: dict[str, Presence] = {}
    for start in range(0, len(ids), _USERS_PER_CALL):
        request = BatchGetPresenceRequest(user_ids=ids[start : start + _USERS_PER_CALL])
        response = await client.call(client.upstreams.presence.BatchGetPresence, request)
        presences |= {presence.user_id: presence for presence in response.presences}
    offline = Presence(status=PRESENCE_STATUS_OFFLINE)
    return {user_id: UserProfile(users[user_id], presences.get(user_id, offline)) for user_id in ids}


def members_of(conversations: Iterable[Conversation]) -> list[str]:
    """Returns the ids of all listed members of some conversations."""
    return list(dict.fromkeys(member.user_id for conversation in conversations for member in conversation.members))


def with_names(
    user_cache: UserCache,
    organization_id: str,
    user_ids: Iterable[str],
    encode: Callable[[Mapping[str, CachedUser]], Payloads],
) -> EncodedEvent:
    """Encodes an event that needs users' names: now if they are cached, else after a lookup.

    If the directory fails, `encode` gets the ids as names, so that the event is delivered anyway.
    """
    ids = list(user_ids)
    cached = {user_id: user_cache.cached(organization_id, user_id) for user_id in ids}
    if all(cached.values()):
        return encode({user_id: user for user_id, user in cached.items() if user is not None})

    async def look_up(_: UserClient) -> Payloads:
        try:
            users = await user_cache.get(organization_id, ids)
        except AppError:
            users = {user_id: CachedUser(user_id, user_id, "", "") for user_id in ids}
        return encode(users)

    def deferred(_: Session) -> Deferred:
        return Deferred(look_up)

    return deferred
