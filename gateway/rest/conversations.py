"""Conversations at paths that are not one RPC: a front-end's shapes, one kind, or a read mark without a seq."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from parley.chat.v1 import chat_pb2, conversation_pb2, message_pb2

from chassis.contract.fields import MAX_INTEGER
from gateway.rest.contract import ContractOperation, read_call
from gateway.rest.dialect_views import DIALECT, DialectViews, dialect_of, in_any_shape
from gateway.rest.operation import Call, Handler, Operation, Schema
from gateway.rest.schemas import body_of, object_of, ref
from gateway.upstream.clients import Upstreams
from gateway.wire.json_objects import Object
from gateway.wire.json_reader import request_fields

_LIST: Final = "/api/chat/conversations"
_GET: Final = "/api/chat/conversations/{conversationId}"
_DIRECT: Final = "/api/chat/direct/create"
_EMPTY: Final[Schema] = object_of({}, description="Done.")


class Conversations:
    """The operations under /api/chat about conversations.

    Args:
        upstreams: the services.
        views: writes conversations in the shapes of front-ends.
        contract: the operations of the contract, by method and path; those with `?dialect=` build on them.
    """

    def __init__(
        self, upstreams: Upstreams, views: DialectViews, contract: Mapping[tuple[str, str], ContractOperation]
    ) -> None:
        self._upstreams = upstreams
        self._views = views
        self._list = contract["GET", _LIST]
        self._get = contract["GET", _GET]
        self._direct = contract["POST", _DIRECT]

    async def list_conversations(self, call: Call) -> Object:
        """Lists all kinds, or one."""
        return await self._listed(call, {})

    async def list_direct(self, call: Call) -> Object:
        """Lists direct conversations."""
        return await self._listed(call, _only("direct"))

    async def list_projects(self, call: Call) -> Object:
        """Lists projects; to a front-end, which knows no groups, they are projects too."""
        kinds = ("group", "project") if dialect_of(call) else ("project",)
        return await self._listed(call, _only(*kinds))

    async def _listed(self, call: Call, preset: Mapping[str, Any]) -> Object:
        dialect = dialect_of(call)
        response = await self._list.call(call, preset)
        return {
            "conversations": await self._views.conversations(call, dialect, response.conversations),
            "nextPageToken": response.next_page_token,
        }

    async def get_conversation(self, call: Call) -> Object:
        """Returns one."""
        return await self._one(call, self._get)

    async def open_direct(self, call: Call) -> Object:
        """Returns the direct conversation with a user, created if there is none."""
        return await self._one(call, self._direct)

    async def _one(self, call: Call, operation: ContractOperation) -> Object:
        dialect = dialect_of(call)
        response = await operation.call(call)
        (shape,) = await self._views.conversations(call, dialect, [response.conversation])
        return {"conversation": shape}

    async def mark_read(self, call: Call) -> Object:
        """Marks the conversation in the path or in the body as read: a seq beyond the last message means the last."""
        in_path = "conversationId" in call.request.path_params
        request = await read_call(call, conversation_pb2.GetConversationRequest.DESCRIPTOR, has_body=not in_path)
        await self._upstreams.call(
            self._upstreams.messages.MarkRead,
            message_pb2.MarkReadRequest(conversation_id=request.conversation_id, seq=MAX_INTEGER),
            token=call.token,
            conversation_id=request.conversation_id,
        )
        return {}

    def operations(self) -> tuple[Operation, ...]:
        """Returns the rows of the table."""
        listed = self._list.operation()
        of_a_kind = [given for given in listed.parameters if given["name"] not in {"kind", "kinds"}]
        body = body_of(request_fields(conversation_pb2.GetConversationRequest.DESCRIPTOR))
        conversations: Schema = object_of(
            {
                "conversations": {"type": "array", "items": ref(chat_pb2.Conversation.DESCRIPTOR)},
                "nextPageToken": {"type": "string", "description": "Empty on the last page."},
            },
            description="A page of conversations, latest activity first.",
        )
        return (
            _shaped(listed, self.list_conversations),
            _shaped(self._get.operation(), self.get_conversation),
            _shaped(self._direct.operation(), self.open_direct),
            _of_a_kind("/api/chat/direct", "listDirectConversations", self.list_direct, conversations, of_a_kind),
            _of_a_kind("/api/chat/project", "listProjectConversations", self.list_projects, conversations, of_a_kind),
            _marking(f"{_GET}/read", "markConversationRead", self.mark_read),
            replace(_marking("/api/chat/mark-read", "markRead", self.mark_read), body=body),
        )


def _shaped(operation: Operation, handler: Handler) -> Operation:
    return replace(
        operation,
        handler=handler,
        parameters=(*operation.parameters, DIALECT),
        answer=in_any_shape(operation.answer),  # type: ignore[arg-type]  # the contract answers JSON
    )


def _only(*kinds: str) -> dict[str, Any]:
    """Returns the fields that limit a list to kinds, whatever the request says of them."""
    return {"kind": None, "kinds": list(kinds)}


def _of_a_kind(path: str, name: str, handler: Handler, answer: Schema, parameters: list[Schema]) -> Operation:
    return Operation("GET", path, name, _summary(handler), handler, in_any_shape(answer), (*parameters, DIALECT))


def _marking(path: str, name: str, handler: Handler) -> Operation:
    return Operation("POST", path, name, _summary(handler), handler, _EMPTY)


def _summary(handler: Handler) -> str:
    return (handler.__doc__ or "").partition("\n")[0]
