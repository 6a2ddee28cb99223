"""The replies to the helpdesk: the users online at that moment, and ids as in its events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from parley.auth.v1.user_pb2 import ROLE_SALES, User
from parley.chat.v1.chat_pb2 import Conversation
from parley.chat.v1.conversation_pb2 import GetConversationResponse
from parley.chat.v1.message_pb2 import ListMessagesResponse
from parley.presence.v1 import presence_pb2 as presence

from gateway.dialects.base import DialectContext
from gateway.dialects.helpdesk.dialect import HelpdeskDialect
from gateway.sessions.commands import CallUpstream, ResolveConversation
from gateway.sessions.session import Session
from gateway.upstream.presence_cache import PresenceCache
from gateway.upstream.user_cache import UserCache
from tests.unit.gateway.dialects.services import USERS, Services, user_cache
from tests.unit.gateway.fixtures import LIMITS, identity


def seen(user_id: str, status: presence.PresenceStatus.ValueType) -> presence.Event:
    return presence.Event(
        organization_id="acme", presence=presence.Presence(user_id=user_id, status=status), role=ROLE_SALES
    )


def ready_session() -> Session:
    session = Session("session-1", identity(), "token", LIMITS)
    session.become_ready()
    return session


async def test_who_has_gone_while_names_were_looked_up_is_not_listed_as_here() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def fetch(_: str, user_ids: Sequence[str]) -> Iterable[User]:
        asked.set()
        await answer.wait()
        return [USERS[user_id] for user_id in user_ids if user_id in USERS]

    presence_cache = PresenceCache()
    presence_cache.track("acme")
    for user_id in ("42", "carl"):
        presence_cache.apply(seen(user_id, presence.PRESENCE_STATUS_ONLINE))
    presence_cache.mark_synced(["acme"])
    dialect = HelpdeskDialect(DialectContext(UserCache(fetch), presence_cache))
    session = ready_session()
    command = dialect.decode(json.dumps({"type": "user_join", "userId": "ann"}), session).command
    assert isinstance(command, CallUpstream)
    joining = asyncio.ensure_future(command.run(Services().client(session.identity)))
    async with asyncio.timeout(20):
        await asked.wait()
        presence_cache.apply(seen("42", presence.PRESENCE_STATUS_OFFLINE))
        presence_cache.apply(seen("joined-meanwhile", presence.PRESENCE_STATUS_ONLINE))
        answer.set()
        users = (await joining)["users"]
    assert [user["userId"] for user in users] == ["carl", "ann"]


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ({"type": "join_room", "roomId": "42"}, "roomId"),
        ({"type": "history", "roomId": "42"}, "roomId"),
        ({"type": "history", "receiverId": "42"}, "receiverId"),
    ],
)
async def test_an_id_that_is_all_digits_is_answered_as_a_number(frame: dict[str, Any], field: str) -> None:
    services = Services(
        {
            "GetConversation": GetConversationResponse(conversation=Conversation(conversation_id="c")),
            "ListMessages": ListMessagesResponse(),
        }
    )
    session = ready_session()
    dialect = HelpdeskDialect(DialectContext(user_cache(), PresenceCache()))
    command = dialect.decode(json.dumps(frame), session).command
    assert isinstance(command, ResolveConversation)
    found = command.then("c")
    assert isinstance(found, CallUpstream)
    assert (await found.run(services.client(session.identity)))[field] == 42
