"""What dialects look up for their users: who somebody is, and whether they are here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from parley.chat.v1.chat_pb2 import Conversation
from parley.presence.v1.presence_pb2 import PRESENCE_STATUS_OFFLINE, BatchGetPresenceRequest, Presence

from chassis.errors import AppError
from gateway.dialects.base import Deferred, EncodedEvent, Payloads
from gateway.sessions.commands import UserCalls
from gateway.sessions.session import Session
from gateway.upstream.presence_cache import is_online
from gateway.upstream.user_cache import CachedUser, UserCache
from gateway.wire.timestamps import time_text

_PER_CALL: Final = 200


class UserProfile(NamedTuple):
    """A user as another one sees them."""

    person: CachedUser
    presence: Presence

    @property
    def is_online(self) -> bool:
        """Whether the user is here."""
        return is_online(self.presence)

    @property
    def last_seen(self) -> str | None:
        """When the user was here last, if that is known and the user isn't."""
        return last_seen(self.presence)


def last_seen(presence: Presence) -> str | None:
    """When a user was here last, if that is known and the user isn't."""
    return time_text(presence.last_seen_time) if presence.HasField("last_seen_time") else None


async def load_profiles(calls: UserCalls, people: UserCache, user_ids: Iterable[str]) -> dict[str, UserProfile]:
    """Users as the calling one sees them. Raises AppError."""
    ids = list(dict.fromkeys(user_ids))
    persons = await people.get(calls.identity.organization_id, ids)
    presences: dict[str, Presence] = {}
    for start in range(0, len(ids), _PER_CALL):
        request = BatchGetPresenceRequest(user_ids=ids[start : start + _PER_CALL])
        response = await calls.call(calls.upstreams.presence.BatchGetPresence, request)
        presences |= {presence.user_id: presence for presence in response.presences}
    absent = Presence(status=PRESENCE_STATUS_OFFLINE)
    return {user_id: UserProfile(persons[user_id], presences.get(user_id, absent)) for user_id in ids}


def members_of(conversations: Iterable[Conversation]) -> list[str]:
    """Everybody who is listed in some conversations."""
    return list(dict.fromkeys(member.user_id for one in conversations for member in one.members))


def with_names(
    people: UserCache,
    organization_id: str,
    user_ids: Iterable[str],
    say: Callable[[Mapping[str, CachedUser]], Payloads],
) -> EncodedEvent:
    """What is said of users by their names: at once where they are known, else once they were looked up.

    Where the directory can't be asked, they are called by their ids: what happened is told in any case.
    """
    ids = list(user_ids)
    known = {user_id: people.known(organization_id, user_id) for user_id in ids}
    if all(known.values()):
        return say({user_id: person for user_id, person in known.items() if person is not None})

    async def look_up(_: UserCalls) -> Payloads:
        try:
            found = await people.get(organization_id, ids)
        except AppError:
            found = {user_id: CachedUser(user_id, user_id, "", "") for user_id in ids}
        return say(found)

    def speech(_: Session) -> Deferred:
        return Deferred(look_up)

    return speech
