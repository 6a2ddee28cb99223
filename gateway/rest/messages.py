"""Messages at paths that are not one RPC: numbered pages of history, a front-end's shapes, and the CRM's own names."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from parley.chat.v1 import chat_pb2, message_pb2

from chassis.contract.fields import MAX_INTEGER
from chassis.contract.validator import invalid_fields
from chassis.errors import InvalidArgumentError
from chassis.rpc.paging import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from gateway.rest.contract import ContractOperation, idempotency_key, read_call
from gateway.rest.dialect_views import DIALECT, DialectViews, dialect_of, in_any_shape
from gateway.rest.operation import Call, Operation, Schema
from gateway.rest.request_parsing import names_any, query_integer, query_text
from gateway.rest.schemas import body_of, object_of, parameter, ref
from gateway.sessions.history import HistoryPage, page_before, page_number
from gateway.upstream.clients import Upstreams
from gateway.wire.field_errors import renamed
from gateway.wire.json_objects import Object, result_object
from gateway.wire.json_reader import request_fields

_HISTORY: Final = "/api/chat/conversations/{conversationId}/messages"
_MAX_PAGE: Final = 1_000_000
_OF_THE_CONTRACT: Final = ("pageSize", "afterSeq", "aroundSeq")
_OF_ITS_OWN: Final = ("page", "limit", "dialect")
_NAMES: Final = {"text": "content", "kind": "type"}
"""What `POST /api/chat/send` calls fields of a draft, by their names in the contract."""


HISTORY: Final = object_of(
    {
        "messages": {"type": "array", "items": ref(chat_pb2.Message.DESCRIPTOR)},
        "hasMore": {"type": "boolean", "description": "Whether there are older ones."},
        "page": {"type": "integer", "description": "The page asked for; left out with beforeSeq."},
    },
    optional=("page",),
    description="A page of a conversation's messages, by seq ascending.",
)
SENT: Final = object_of(
    {
        "messageId": {"type": "string"},
        "seq": {"type": "integer"},
        "rev": {"type": "integer"},
        "createTime": {"type": "string", "format": "date-time"},
        "clientMessageId": {"type": "string", "description": "The key by which a repeat is known."},
    },
    description="Where a message landed.",
)


class Messages:
    """The operations under /api/chat about messages.

    Args:
        upstreams: the services.
        views: writes messages in the shapes of front-ends.
        contract: the operations of the contract, by method and path.
    """

    def __init__(
        self, upstreams: Upstreams, views: DialectViews, contract: Mapping[tuple[str, str], ContractOperation]
    ) -> None:
        self._upstreams = upstreams
        self._views = views
        self._list = contract["GET", _HISTORY]

    async def list_messages(self, call: Call) -> Any:
        """Returns a page of a conversation's messages, by seq ascending; page 1 is the newest."""
        if names_any(call.request, _OF_THE_CONTRACT) and not names_any(call.request, _OF_ITS_OWN):
            return await self._list.handle(call)
        dialect, conversation_id = dialect_of(call), call.request.path_params["conversationId"]
        limit = query_integer(call.request, "limit", DEFAULT_PAGE_SIZE, most=MAX_PAGE_SIZE)
        before = query_integer(call.request, "beforeSeq", 0, most=MAX_INTEGER)
        number = query_integer(call.request, "page", 1, most=_MAX_PAGE)
        if before and query_text(call.request, "page"):
            raise invalid_fields({"page": "must not be given together with beforeSeq"})
        client = self._views.client(call)
        if before:
            page = await page_before(client, conversation_id, before, limit)
            return await self._page(call, dialect, conversation_id, page)
        page = await page_number(client, conversation_id, number, limit)
        return {**await self._page(call, dialect, conversation_id, page), "page": number}

    async def _page(self, call: Call, dialect: str | None, conversation_id: str, page: HistoryPage) -> Object:
        messages = await self._views.messages(call, dialect, conversation_id, page.messages)
        return {"messages": messages, "hasMore": page.has_more}

    async def send(self, call: Call) -> Object:
        """Sends a message; repeating it with the same key sends it once.

        In a front-end's dialect the message itself is answered.
        """
        dialect = dialect_of(call)
        try:
            request = await read_call(
                call,
                message_pb2.SendMessageRequest.DESCRIPTOR,
                has_body=True,
                names=_NAMES,
                fallback={"clientMessageId": lambda: idempotency_key(call) or str(uuid.uuid4())},
            )
            draft = request.draft
            response = await self._upstreams.call(
                self._upstreams.messages.SendMessage, request, token=call.token, conversation_id=draft.conversation_id
            )
        except InvalidArgumentError as error:
            raise renamed(error, _NAMES) from error
        key = draft.client_message_id
        if dialect is None:
            return {**result_object(response.result), "clientMessageId": key}
        get = message_pb2.GetMessageRequest(message_id=response.result.message_id)
        sent = await self._upstreams.call(self._upstreams.messages.GetMessage, get, token=call.token)
        (shape,) = await self._views.messages(call, dialect, draft.conversation_id, [sent.message])
        return {"message": shape, "clientMessageId": key}

    def operations(self) -> tuple[Operation, ...]:
        """Returns the rows of the table."""
        history = _history(self._list.operation())
        listed = replace(history, handler=self.list_messages)
        other_path = replace(listed, path="/api/chat/messages/{conversationId}", name="listMessagesOfConversation")
        return (
            listed,
            other_path,
            Operation(
                "POST",
                "/api/chat/send",
                "sendMessageByName",
                "Sends a message; repeating it with the same key sends it once.",
                self.send,
                in_any_shape(SENT),
                (DIALECT,),
                _outgoing(),
            ),
        )


def _history(contract: Operation) -> Operation:
    size: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE}
    number: Schema = {"type": "integer", "minimum": 1, "maximum": _MAX_PAGE}
    own = (
        parameter("page", number, "The number of the page; 1 is the newest, and the default. Not with beforeSeq."),
        parameter("limit", size, f"How many messages at most; {DEFAULT_PAGE_SIZE} by default."),
        DIALECT,
    )
    return replace(contract, parameters=(*contract.parameters, *own), answer=in_any_shape(HISTORY))


def _outgoing() -> Schema:
    schema = dict(body_of(request_fields(message_pb2.SendMessageRequest.DESCRIPTOR)) or {})
    properties = {_NAMES.get(name, name): value for name, value in schema["properties"].items()}
    return schema | {"required": ["conversationId", "content"], "properties": properties}
