"""The caller's conversations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Meta, Struct
from parley.chat.v1 import chat_pb2, conversation_pb2, message_pb2

from gateway.rest.dialect_views import DialectViews, Shaped
from gateway.rest.operation import Call, Group, Nothing, Operation
from gateway.rest.parameters import MAX_SAFE_INTEGER, AnyUserId, ConversationId, PageSize, PageToken
from gateway.rest.schemas import ConversationAnswer, ConversationKind, ConversationPage, Empty
from gateway.upstream.clients import Upstreams
from gateway.wire.enum_names import CONVERSATION_KINDS
from gateway.wire.json_objects import Object


class KindQuery(Shaped, rename="camel"):
    """Which conversations of a kind to list."""

    archived: Annotated[bool, Meta(description="Only archived ones, or only others; both when left out.")] | None = None
    updated_after: (
        Annotated[datetime, Meta(tz=True, description="Only those with a change at or after this time.")] | None
    ) = None
    page_size: PageSize | None = None
    page_token: PageToken = ""


class Listing(KindQuery, rename="camel"):
    """Which conversations to list."""

    kind: ConversationKind | None = None


class DirectRequest(Struct, rename="camel"):
    """With whom to talk."""

    user_id: AnyUserId


class ConversationRef(Struct, rename="camel"):
    """Which conversation."""

    conversation_id: ConversationId


class Conversations:
    """The operations under /api/chat that are about conversations."""

    def __init__(self, upstreams: Upstreams, shaping: DialectViews) -> None:
        self._upstreams = upstreams
        self._shaping = shaping

    async def list_conversations(self, call: Call[Listing, Nothing]) -> Object:
        """Lists all kinds, or one."""
        kind = CONVERSATION_KINDS.number(call.query.kind) if call.query.kind else None
        return await self._list(call, kind or 0)

    async def list_direct(self, call: Call[KindQuery, Nothing]) -> Object:
        """Lists direct conversations."""
        return await self._list(call, chat_pb2.CONVERSATION_KIND_DIRECT)

    async def list_projects(self, call: Call[KindQuery, Nothing]) -> Object:
        """Lists project conversations: none while the services have no such kind; to front-ends, groups are."""
        kind = CONVERSATION_KINDS.number("project") or (chat_pb2.CONVERSATION_KIND_GROUP if call.query.dialect else 0)
        return await self._list(call, kind) if kind else {"conversations": [], "nextPageToken": ""}

    async def _list(self, call: Call[Any, Nothing], kind: int) -> Object:
        query: KindQuery = call.query
        response = await self._upstreams.call(
            self._upstreams.conversations.ListConversations,
            conversation_pb2.ListConversationsRequest(
                kind=chat_pb2.ConversationKind.ValueType(kind),
                archived=query.archived,
                updated_after=_timestamp(query.updated_after),
                page_size=query.page_size or 0,
                page_token=query.page_token,
            ),
            token=call.token,
        )
        return {
            "conversations": await self._shaping.conversations(call, call.query.dialect, response.conversations),
            "nextPageToken": response.next_page_token,
        }

    async def get_conversation(self, call: Call[Shaped, Nothing]) -> Object:
        """Reads one."""
        conversation_id = call.path["conversationId"]
        response = await self._upstreams.call(
            self._upstreams.conversations.GetConversation,
            conversation_pb2.GetConversationRequest(conversation_id=conversation_id),
            token=call.token,
            conversation_id=conversation_id,
        )
        return await self._one(call, response.conversation)

    async def _one(self, call: Call[Shaped, Any], conversation: chat_pb2.Conversation) -> Object:
        (shape,) = await self._shaping.conversations(call, call.query.dialect, [conversation])
        return {"conversation": shape}

    async def open_direct(self, call: Call[Shaped, DirectRequest]) -> Object:
        """Gets or makes the direct conversation with a user."""
        response = await self._upstreams.call(
            self._upstreams.conversations.GetOrCreateDirectConversation,
            conversation_pb2.GetOrCreateDirectConversationRequest(user_id=str(call.body.user_id)),
            token=call.token,
        )
        return await self._one(call, response.conversation)

    async def mark_read(self, call: Call[Nothing, Nothing]) -> Object:
        """Marks the conversation in the path as read."""
        return await self._mark_read(call.path["conversationId"], call.token)

    async def mark_read_by_body(self, call: Call[Nothing, ConversationRef]) -> Object:
        """Marks the conversation in the body as read."""
        return await self._mark_read(call.body.conversation_id, call.token)

    async def _mark_read(self, conversation_id: str, token: str) -> Object:
        """A seq beyond the last message counts as the last, so nothing has to be looked up first."""
        await self._upstreams.call(
            self._upstreams.messages.MarkRead,
            message_pb2.MarkReadRequest(conversation_id=conversation_id, seq=MAX_SAFE_INTEGER),
            token=token,
            conversation_id=conversation_id,
        )
        return {}

    def group(self) -> Group:
        """The rows of the table."""
        return Group(
            "conversations",
            "The caller's conversations",
            (
                Operation(
                    "GET",
                    "/api/chat/conversations",
                    "listConversations",
                    "The caller's conversations with their unread counts, latest activity first.",
                    self.list_conversations,
                    query=Listing,
                    body=Nothing,
                    answer=ConversationPage,
                ),
                Operation(
                    "GET",
                    "/api/chat/conversations/{conversationId}",
                    "getConversation",
                    "One conversation.",
                    self.get_conversation,
                    query=Shaped,
                    body=Nothing,
                    answer=ConversationAnswer,
                    failures=(403,),
                ),
                Operation(
                    "POST",
                    "/api/chat/conversations/{conversationId}/read",
                    "markConversationRead",
                    "Marks everything in a conversation as read by the caller.",
                    self.mark_read,
                    query=Nothing,
                    body=Nothing,
                    answer=Empty,
                    failures=(403,),
                ),
                Operation(
                    "POST",
                    "/api/chat/mark-read",
                    "markRead",
                    "Marks everything in a conversation as read by the caller.",
                    self.mark_read_by_body,
                    query=Nothing,
                    body=ConversationRef,
                    answer=Empty,
                    failures=(403, 404),
                ),
                Operation(
                    "GET",
                    "/api/chat/direct",
                    "listDirectConversations",
                    "The caller's direct conversations.",
                    self.list_direct,
                    query=KindQuery,
                    body=Nothing,
                    answer=ConversationPage,
                ),
                Operation(
                    "POST",
                    "/api/chat/direct/create",
                    "openDirectConversation",
                    "The direct conversation with a user; it is made when there is none, and the same one ever after.",
                    self.open_direct,
                    query=Shaped,
                    body=DirectRequest,
                    answer=ConversationAnswer,
                    failures=(403, 404),
                ),
                Operation(
                    "GET",
                    "/api/chat/project",
                    "listProjectConversations",
                    "The caller's project conversations.",
                    self.list_projects,
                    query=KindQuery,
                    body=Nothing,
                    answer=ConversationPage,
                ),
            ),
        )


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
