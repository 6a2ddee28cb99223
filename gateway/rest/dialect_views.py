"""Answers in the shapes of a front-end that the request names with `?dialect=`; without it, in the contract's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from parley.chat.v1.chat_pb2 import Conversation, Message
from parley.chat.v1.conversation_pb2 import GetConversationRequest

from gateway.dialects.registry import all_views
from gateway.rest.operation import Call, Schema
from gateway.rest.request_parsing import query_choice
from gateway.rest.schemas import parameter
from gateway.sessions.user_client import UserClient
from gateway.upstream.clients import Upstreams
from gateway.upstream.user_cache import UserCache
from gateway.wire.json_objects import Object, conversation_objects, message_objects

SHAPES: Final = all_views()
_NAMES: Final = sorted(SHAPES)

DIALECT: Final[Schema] = parameter(
    "dialect", {"type": "string", "enum": _NAMES}, "Answers in the shapes of this front-end."
)
"""The query's parameter."""


def in_any_shape(answer: Schema) -> Schema:
    """Returns the schema of an answer that a front-end's shapes may stand in for."""
    return {"anyOf": [answer, {"type": "object", "description": "With `dialect`: the front-end's own shape."}]}


def dialect_of(call: Call) -> str | None:
    """Returns the dialect that a request names. Raises InvalidArgumentError."""
    return query_choice(call.request, "dialect", _NAMES)


class DialectViews:
    """Writes conversations and messages.

    Args:
        upstreams: the services.
        user_cache: the names of users.
    """

    def __init__(self, upstreams: Upstreams, user_cache: UserCache) -> None:
        self._upstreams = upstreams
        self._user_cache = user_cache

    def client(self, call: Call) -> UserClient:
        """Returns what calls the services for the user whose request it is."""
        return UserClient(self._upstreams, call.identity, call.token)

    async def conversations(self, call: Call, dialect: str | None, listed: Iterable[Conversation]) -> list[Object]:
        """Returns conversations, in the order given. Raises AppError."""
        if dialect is None:
            return conversation_objects(listed)
        return await SHAPES[dialect].conversations(self.client(call), self._user_cache, listed)

    async def messages(
        self, call: Call, dialect: str | None, conversation_id: str, sent: Sequence[Message]
    ) -> list[Object]:
        """Returns messages of one conversation. Raises AppError."""
        if dialect is None:
            return message_objects(sent)
        client = self.client(call)
        request = GetConversationRequest(conversation_id=conversation_id)
        get = self._upstreams.conversations.GetConversation
        conversation = (await client.call(get, request, conversation_id=conversation_id)).conversation
        return await SHAPES[dialect].messages(client, self._user_cache, conversation, sent)
