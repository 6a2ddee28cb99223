"""What must hold of every frame, whatever is in it."""

from __future__ import annotations

import json
from typing import Final, get_args

from chassis.errors import AppError
from gateway.commands import Command, Malformed, Refuse, SendMessage, SendSignal
from gateway.dialects.native import NativeDialect
from gateway.dialects.native_requests import OPERATIONS
from tests.unit.gateway.people import identity, session

_DIALECT: Final = NativeDialect()
_WHO: Final = session(identity())
_COMMANDS: Final = get_args(Command)
_OPERATIONS: Final = {*OPERATIONS, "unknown"}
_LARGEST_ID: Final = (1 << 53) - 1


def check_frame(text: str) -> None:
    """Decodes a frame, and asserts that all that comes of it can be answered, counted and sent on."""
    request = _DIALECT.decode(text, _WHO)
    command = request.command
    assert isinstance(command, _COMMANDS)
    assert request.operation in _OPERATIONS  # a label of metrics: never what a client made up
    assert type(request.reference) is int and 0 <= request.reference <= _LARGEST_ID
    if isinstance(command, Malformed | Refuse):
        _check_answer(request.reference, command.error)
    if isinstance(command, SendMessage):
        command.draft.SerializeToString()
    if isinstance(command, SendSignal):
        command.signal.SerializeToString()


def _check_answer(reference: int, error: AppError) -> None:
    (payload,) = _DIALECT.failed(reference, error)
    answer = json.loads(payload.decode())
    assert answer["id"] == reference
    assert answer["error"]["code"] == error.category.name
    assert len(payload) < 16_384  # an answer never repeats what was sent at length
