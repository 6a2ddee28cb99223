"""The properties of every frame in every dialect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, get_args

from parley.auth.v1.user_pb2 import User
from parley.chat.v1.message_pb2 import SendResult

from chassis.errors import AppError
from gateway.dialects.base import Dialect, DialectContext, Payloads
from gateway.dialects.native.dialect import NAME as NATIVE
from gateway.dialects.native.requests import all_commands
from gateway.dialects.registry import all_dialects
from gateway.dialects.socketio_base import EmittedFrame, Reference, SocketIoDialect
from gateway.sessions.commands import Command, Malformed, Reject, ResolveConversation, SendMessage, SendSignal
from gateway.sessions.session import Session
from gateway.upstream.presence_cache import PresenceCache
from gateway.upstream.user_cache import UserCache
from tests.unit.gateway.fixtures import identity, session


async def _nobody(_: str, __: object) -> list[User]:
    return []


DIALECTS: Final[Mapping[str, Dialect]] = all_dialects(DialectContext(UserCache(_nobody), PresenceCache()))
UNKNOWN: Final = "unknown"
_WHO: Final = identity()
_COMMANDS: Final = get_args(Command)
_LARGEST_ID: Final = (1 << 53) - 1
_ID: Final = "conversation-of-22-chr"
_RECEIPT: Final = SendResult(message_id="message-of-22-characte", seq=1)


def operations_of(name: str) -> Mapping[str, Any]:
    """Returns the operations of a dialect, each with its form."""
    if name == NATIVE:
        return all_commands()
    operations: Mapping[str, Any] = DIALECTS[name]._operations  # type: ignore[attr-defined]
    return operations


def is_emitting(name: str) -> bool:
    """Returns whether a dialect is over Socket.IO."""
    return isinstance(DIALECTS[name], SocketIoDialect)


def frame_of(name: str, text: str, acknowledgement: str = "") -> Any:
    """Returns a frame with a text, in the form of the dialect's transport."""
    return EmittedFrame(text, acknowledgement) if is_emitting(name) else text


def request_text(
    name: str, operation: object, body: object, more: Mapping[str, object] = MappingProxyType({})
) -> dict[str, Any] | list[Any]:
    """Returns the text of a request, with extra fields."""
    if name == NATIVE:
        return {"id": 1, "op": operation, "body": body, **more}
    if is_emitting(name):
        return [operation, body, *more.values()]
    return {"type": operation, **(body if isinstance(body, dict) else {}), **more}


def check_frame(name: str, frame: Any) -> None:
    """Decodes a frame, and asserts that the result can be answered, counted and forwarded."""
    dialect = DIALECTS[name]
    who = Session("session-1", _WHO, "token", session().limits, dialect.new_state())
    request = dialect.decode(frame, who)
    assert isinstance(request.command, _COMMANDS)
    assert request.operation in {*operations_of(name), UNKNOWN}  # a metric label: never a client's own text
    _check_reference(request.reference)
    command: Any = request.command
    if isinstance(command, Malformed | Reject):
        _check_answer(dialect, request.reference, command.error)
        return
    if isinstance(command, ResolveConversation):
        assert all(isinstance(part, str) for part in command.name)
        command = command.then(_ID)
    if isinstance(command, SendMessage):
        command.draft.SerializeToString()
        assert 0 < len(command.draft.client_message_id) <= 64
        _parsed(dialect.sent(request.reference, _RECEIPT))
    elif isinstance(command, SendSignal):
        command.signal.SerializeToString()
        _parsed(dialect.done(request.reference, {}))


def _check_reference(reference: Any) -> None:
    if type(reference) is int:
        assert 0 <= reference <= _LARGEST_ID
    elif isinstance(reference, Reference):
        assert len(reference.event) <= 64


def _check_answer(dialect: Dialect, reference: Any, error: AppError) -> None:
    (answer,) = _parsed(_as_deep_as_the_dispatcher(dialect, reference, error))
    code = json.dumps(error.category.name)
    assert f'"code":{code}' in answer
    assert len(answer) < 16_384  # a reply never repeats long input


def _as_deep_as_the_dispatcher(dialect: Dialect, reference: Any, error: AppError) -> Payloads:
    """Calls deeper in the stack, as the dispatcher does: encoding has less recursion depth left than decoding had."""

    def within(calls: int) -> Payloads:
        return dialect.failed(reference, error) if calls == 0 else within(calls - 1)

    return within(8)


def _parsed(payloads: Payloads) -> list[str]:
    """Returns payloads as texts; each is JSON after the digits of its packet."""
    texts = [payload.decode() for payload in payloads]
    for text in texts:
        json.loads(text.lstrip("0123456789"))
    return texts
