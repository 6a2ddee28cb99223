"""Answers in the shapes of a front-end that the request names with `?dialect=`; without it, in the contract's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta, Struct
from parley.chat.v1.chat_pb2 import Conversation, Message
from parley.chat.v1.conversation_pb2 import GetConversationRequest

from gateway.dialects.registry import all_views
from gateway.rest.operation import Call
from gateway.sessions.user_client import UserClient
from gateway.upstream.clients import Upstreams
from gateway.upstream.user_cache import UserCache
from gateway.wire.json_objects import Object, conversation_objects, message_objects

SHAPES: Final = all_views()

if TYPE_CHECKING:
    DialectName: TypeAlias = str
else:
    DialectName = Literal[tuple(sorted(SHAPES))]

InDialect = Annotated[DialectName | None, Meta(description="In the shapes of this front-end.")]


class Shaped(Struct, rename="camel"):
    """In whose shapes to answer."""

    dialect: InDialect = None


class DialectViews:
    """Makes answers.

    Args:
        upstreams: the services.
        people: what users are called.
    """

    def __init__(self, upstreams: Upstreams, people: UserCache) -> None:
        self._upstreams = upstreams
        self._people = people

    def calls(self, call: Call[Any, Any]) -> UserClient:
        """Calls for the user whose request it is."""
        return UserClient(self._upstreams, call.identity, call.token)

    async def conversations(
        self, call: Call[Any, Any], dialect: str | None, listed: Iterable[Conversation]
    ) -> list[Object]:
        """Conversations, in the order given. Raises AppError."""
        if dialect is None:
            return conversation_objects(listed)
        return await SHAPES[dialect].conversations(self.calls(call), self._people, listed)

    async def messages(
        self, call: Call[Any, Any], dialect: str | None, conversation_id: str, sent: Sequence[Message]
    ) -> list[Object]:
        """Messages of one conversation. Raises AppError."""
        if dialect is None:
            return message_objects(sent)
        calls = self.calls(call)
        request = GetConversationRequest(conversation_id=conversation_id)
        get = self._upstreams.conversations.GetConversation
        conversation = (await calls.call(get, request, conversation_id=conversation_id)).conversation
        return await SHAPES[dialect].messages(calls, self._people, conversation, sent)
