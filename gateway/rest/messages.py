"""Reading and sending messages."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct
from parley.chat.v1 import chat_pb2, message_pb2

from chassis.errors import InvalidArgumentError
from chassis.rpc.paging import DEFAULT_PAGE_SIZE
from gateway.rest.dialect_views import DialectViews, Shaped
from gateway.rest.fields import fields_renamed
from gateway.rest.operation import Call, Group, Nothing, Operation
from gateway.rest.parameters import MAX_SAFE_INTEGER, AnyUserId, ConversationId, PageSize
from gateway.rest.schemas import History, Sent
from gateway.sessions.history import HistoryPage, page_before, page_number
from gateway.upstream.clients import Upstreams
from gateway.wire.enum_names import MESSAGE_KINDS
from gateway.wire.json_objects import Object, result_object

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,64}")
_NAMES_HERE: Final = {"text": "content", "kind": "type"}  # of chat's fields

if TYPE_CHECKING:
    SentKind: TypeAlias = str
else:
    SentKind = Literal[tuple(name for name in MESSAGE_KINDS.names if name != "system")]


class HistoryQuery(Shaped, rename="camel"):
    """Which part of the history to read: a numbered page, or what lies before a seq."""

    page: Annotated[int, Meta(ge=1, le=1_000_000, description="1 is the newest, and the default.")] | None = None
    limit: PageSize = DEFAULT_PAGE_SIZE
    before_seq: (
        Annotated[int, Meta(ge=1, le=MAX_SAFE_INTEGER, description="Only messages before this seq; not with page.")]
        | None
    ) = None


class Attached(Struct, rename="camel"):
    """Something that a message carries by reference."""

    url: Annotated[str, Meta(min_length=1, max_length=2_000, description="An http or https address.")]
    name: Annotated[str, Meta(max_length=200)] = ""
    content_type: Annotated[str, Meta(max_length=100)] = ""
    size_bytes: Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)] = 0


class Outgoing(Struct, rename="camel"):
    """A message to send."""

    conversation_id: ConversationId
    content: Annotated[
        str,
        Meta(max_length=16_384, description="The text, at most 16 KiB of UTF-8; blank only beside attachments."),
    ]
    type: SentKind = "text"
    client_message_id: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=64,
                description="The idempotency key; without one the header Idempotency-Key, or a fresh one.",
            ),
        ]
        | None
    ) = None
    reply_to: Annotated[str, Meta(max_length=64, description="The id of the message that it answers.")] = ""
    mentions: Annotated[list[AnyUserId], Meta(max_length=50)] = []
    attachments: Annotated[list[Attached], Meta(max_length=20)] = []


class Messages:
    """The operations under /api/chat that are about messages."""

    def __init__(self, upstreams: Upstreams, shaping: DialectViews) -> None:
        self._upstreams = upstreams
        self._shaping = shaping

    async def list_messages(self, call: Call[HistoryQuery, Nothing]) -> Object:
        """Reads a part of the history."""
        place, conversation_id = call.query, call.path["conversationId"]
        if place.before_seq is None:
            number = place.page or 1
            page = await page_number(self._shaping.calls(call), conversation_id, number, place.limit)
            return {**await self._page(call, conversation_id, page), "page": number}
        if place.page is not None:
            raise InvalidArgumentError(
                "INVALID_FIELDS", "page and beforeSeq exclude each other", fields={"page": "excludes beforeSeq"}
            )
        page = await page_before(self._shaping.calls(call), conversation_id, place.before_seq, place.limit)
        return await self._page(call, conversation_id, page)

    async def _page(self, call: Call[HistoryQuery, Nothing], conversation_id: str, page: HistoryPage) -> Object:
        messages = await self._shaping.messages(call, call.query.dialect, conversation_id, page.messages)
        return {"messages": messages, "hasMore": page.has_more}

    async def send(self, call: Call[Shaped, Outgoing]) -> Object:
        """Sends a message; a repeat with the same key answers what the first one did.

        In a front-end's dialect the message itself is answered.
        """
        body = call.body
        key = body.client_message_id or _header_key(call.request.headers.get(IDEMPOTENCY_HEADER)) or str(uuid.uuid4())
        request = message_pb2.SendMessageRequest(draft=_draft(body, key))
        with fields_renamed(lambda name: _NAMES_HERE.get(name, name)):
            response = await self._upstreams.call(
                self._upstreams.messages.SendMessage, request, token=call.token, conversation_id=body.conversation_id
            )
        if call.query.dialect is None:
            return {**result_object(response.result), "clientMessageId": key}
        get = message_pb2.GetMessageRequest(message_id=response.result.message_id)
        sent = await self._upstreams.call(self._upstreams.messages.GetMessage, get, token=call.token)
        (shape,) = await self._shaping.messages(call, call.query.dialect, body.conversation_id, [sent.message])
        return {"message": shape, "clientMessageId": key}

    def group(self) -> Group:
        """The rows of the table."""
        history = "A page of a conversation's messages, by seq ascending; page 1 is the newest."
        return Group(
            "messages",
            "Reading and sending messages",
            (
                Operation(
                    "GET",
                    "/api/chat/conversations/{conversationId}/messages",
                    "listMessages",
                    history,
                    self.list_messages,
                    query=HistoryQuery,
                    body=Nothing,
                    answer=History,
                    failures=(403,),
                ),
                Operation(
                    "GET",
                    "/api/chat/messages/{conversationId}",
                    "listMessagesOfConversation",
                    history,
                    self.list_messages,
                    query=HistoryQuery,
                    body=Nothing,
                    answer=History,
                    failures=(403,),
                ),
                Operation(
                    "POST",
                    "/api/chat/send",
                    "sendMessage",
                    "Sends a message; repeating it with the same key sends it once.",
                    self.send,
                    query=Shaped,
                    body=Outgoing,
                    answer=Sent,
                    failures=(403, 404),
                ),
            ),
        )


def _header_key(key: str | None) -> str | None:
    if key is not None and _KEY.fullmatch(key) is None:
        sentence = "must be 1 to 64 printable characters"
        raise InvalidArgumentError(
            "INVALID_FIELDS", f"{IDEMPOTENCY_HEADER} {sentence}", fields={IDEMPOTENCY_HEADER: sentence}
        )
    return key


def _draft(body: Outgoing, client_message_id: str) -> message_pb2.Draft:
    return message_pb2.Draft(
        conversation_id=body.conversation_id,
        client_message_id=client_message_id,
        text=body.content,
        kind=chat_pb2.MessageKind.ValueType(MESSAGE_KINDS.number(body.type) or 0),
        reply_to=body.reply_to,
        mentions=map(str, body.mentions),
        attachments=[
            chat_pb2.Attachment(
                url=attached.url,
                name=attached.name,
                content_type=attached.content_type,
                size_bytes=attached.size_bytes,
            )
            for attached in body.attachments
        ],
    )
