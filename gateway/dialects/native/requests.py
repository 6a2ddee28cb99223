"""The ops of `parley.v1.json`: those of the contract, each one RPC, and the few that the gateway handles itself.

An op of the contract needs no line here. What the gateway handles is on the hot path, where it batches over
connections, or concerns the connection itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any, Final

from google.protobuf.message import Message
from parley.chat.v1.chat_pb2 import MESSAGE_KIND_TEXT
from parley.chat.v1.message_pb2 import (
    Draft,
    ListMessagesRequest,
    MarkDeliveredRequest,
    MarkReadRequest,
    SendMessageRequest,
    SetTypingRequest,
)

from chassis.contract.fields import IS_REQUIRED
from chassis.contract.methods import Method, all_services, methods_of
from chassis.contract.validator import invalid_fields
from gateway.dialects.native import schemas
from gateway.sessions.commands import (
    CallUpstream,
    Command,
    RefreshSession,
    Result,
    SendMessage,
    SendSignal,
    SetIdle,
)
from gateway.sessions.user_client import UserClient
from gateway.wire.json_reader import NOT_AN_OBJECT, read_request
from gateway.wire.json_writer import writer_of
from gateway.wire.message_json import MessageJsonCache
from gateway.wire.timestamps import time_text_of

MakeCommand = Callable[[Any], Command]
"""Makes the command of a body, a decoded JSON value. Raises AppError."""

_MAX_TOKEN_CHARACTERS: Final = 8_192
_message_json: Final = MessageJsonCache(32 * 1024 * 1024)


def commands_of(methods: Iterable[Method]) -> dict[str, MakeCommand]:
    """Returns the ops by name, each with what makes its command."""
    of_contract = {
        method.op.name: _command_of(method) for method in methods if method.op.name and not method.op.handled_by_gateway
    }
    return {**of_contract, **_handled_by_gateway(of_contract)}


@cache
def all_commands() -> Mapping[str, MakeCommand]:
    """Returns the ops of all services."""
    return commands_of(methods_of(all_services()))


def _command_of(method: Method) -> MakeCommand:
    write = writer_of(method.output)

    def command(body: Any) -> CallUpstream:
        return CallUpstream(partial(_call, method, read_request(body, method.input), write))

    return command


async def _call(method: Method, request: Message, write: Callable[[Any], Result], calls: UserClient) -> Result:
    conversation_id = method.conversation_of(request)
    response = await calls.call(calls.upstreams.method(method), request, conversation_id=conversation_id)
    return {} if method.op.empty_reply else write(response)


def _handled_by_gateway(of_contract: Mapping[str, MakeCommand]) -> dict[str, MakeCommand]:
    set_status = of_contract.get("presence.set")

    def set_presence(body: Any) -> Command:
        """Whether the user is at the device is a matter of the connection, not of the user's status."""
        if isinstance(body, Mapping) and body.get("idle") is not None:
            return _set_idle(body)
        assert set_status is not None  # noqa: S101  # the contract has it
        return set_status(body)

    return {
        "message.send": _send_message,
        "message.list": _list_messages,
        "receipt.read": lambda body: SendSignal(read_request(body, MarkReadRequest.DESCRIPTOR)),
        "receipt.delivered": lambda body: SendSignal(read_request(body, MarkDeliveredRequest.DESCRIPTOR)),
        "typing.set": lambda body: SendSignal(read_request(body, SetTypingRequest.DESCRIPTOR)),
        "presence.set": set_presence,
        "session.refresh": _refresh_session,
        "session.ping": lambda _: CallUpstream(_ping),
    }


def _send_message(body: Any) -> SendMessage:
    draft = read_request(body, SendMessageRequest.DESCRIPTOR).draft
    draft.kind = draft.kind or MESSAGE_KIND_TEXT
    return SendMessage(draft)


def _list_messages(body: Any) -> CallUpstream:
    return CallUpstream(partial(_list_page, read_request(body, ListMessagesRequest.DESCRIPTOR)))


async def _list_page(request: ListMessagesRequest, calls: UserClient) -> Result:
    page = await calls.list_messages(request)
    return {"messages": [_message_json.of(message) for message in page.messages], "hasMore": page.has_more}


def _set_idle(body: Mapping[str, Any]) -> SetIdle:
    if body.get("status") is not None or body.get("text") is not None:
        raise invalid_fields({"idle": "must not be given together with status or text"})
    if not isinstance(body["idle"], bool):
        raise invalid_fields({"idle": "must be true or false"})
    return SetIdle(body["idle"])


def _refresh_session(body: Any) -> RefreshSession:
    if not isinstance(body, Mapping):
        raise invalid_fields({"accessToken": IS_REQUIRED} if body is None else NOT_AN_OBJECT)
    token = body.get("accessToken")
    if token is None:
        raise invalid_fields({"accessToken": IS_REQUIRED})
    if not isinstance(token, str) or not 1 <= len(token) <= _MAX_TOKEN_CHARACTERS:
        raise invalid_fields({"accessToken": f"must have 1 to {_MAX_TOKEN_CHARACTERS:,} characters"})
    return RefreshSession(token)


async def _ping(_: UserClient) -> Result:
    return {"serverTime": time_text_of(time.time())}


# --- the hot path


class NotHotError(Exception):
    """A frame that fits the hot path's schema has a value that only the contract can judge."""


def send_message(body: schemas.MessageSend) -> SendMessage:
    """Makes the command of a typed `message.send`. Raises NotHotError."""
    kind = schemas.MESSAGE_KINDS.get(body.kind)
    if kind is None or body.data is not None:
        raise NotHotError
    draft = Draft(
        conversation_id=body.conversation_id,
        client_message_id=body.client_message_id,
        text=body.text,
        kind=kind,  # type: ignore[arg-type]  # a number of that enum
    )
    if body.reply_to:
        draft.reply_to = body.reply_to
    if body.mentions:
        draft.mentions.extend(body.mentions)
    for attachment in body.attachments:
        draft.attachments.add(
            url=attachment.url,
            name=attachment.name,
            content_type=attachment.content_type,
            size_bytes=attachment.size_bytes,
        )
    return SendMessage(draft)


def mark_read(body: schemas.UpToSeq) -> SendSignal:
    """Makes the command of a typed `receipt.read`."""
    return SendSignal(MarkReadRequest(conversation_id=body.conversation_id, seq=body.seq))


def mark_delivered(body: schemas.UpToSeq) -> SendSignal:
    """Makes the command of a typed `receipt.delivered`."""
    return SendSignal(MarkDeliveredRequest(conversation_id=body.conversation_id, seq=body.seq))


def set_typing(body: schemas.TypingSet) -> SendSignal:
    """Makes the command of a typed `typing.set`."""
    return SendSignal(SetTypingRequest(conversation_id=body.conversation_id, active=body.active))


HOT: Final[Mapping[str, tuple[type, Callable[[Any], Command]]]] = {
    "message.send": (schemas.MessageSend, send_message),
    "receipt.read": (schemas.UpToSeq, mark_read),
    "receipt.delivered": (schemas.UpToSeq, mark_delivered),
    "typing.set": (schemas.TypingSet, set_typing),
}
"""The typed ops: the schema of their bodies, and what makes the command."""
