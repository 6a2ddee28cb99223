"""The typed schemas of the hot path accept nothing that the contract refuses, and read what they accept as it does."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from parley.chat.v1.chat_pb2 import MESSAGE_KIND_TEXT
from parley.chat.v1.message_pb2 import MarkDeliveredRequest, MarkReadRequest, SendMessageRequest, SetTypingRequest

from chassis.contract.validator import problems_of
from chassis.errors import InvalidArgumentError
from gateway.dialects.native.requests import HOT, NotHotError, all_commands
from gateway.sessions.commands import SendMessage, SendSignal
from gateway.wire.json_reader import read_request, request_fields

REQUESTS: Final = {
    "message.send": SendMessageRequest.DESCRIPTOR,
    "receipt.read": MarkReadRequest.DESCRIPTOR,
    "receipt.delivered": MarkDeliveredRequest.DESCRIPTOR,
    "typing.set": SetTypingRequest.DESCRIPTOR,
}
TEXTS: Final = st.text(max_size=5) | st.sampled_from(
    ["", " ", "ann", "a b", "x" * 64, "x" * 65, "\U0001f600" * 64, "ann\n", "\u0661", "x" * 2_001, "\x00"]
)
NUMBERS: Final = st.integers(-2, 3) | st.sampled_from([2**53 - 1, 2**53, 2**63, 10**30]) | st.floats(allow_nan=False)
OTHERS: Final = st.none() | st.booleans() | NUMBERS
ATTACHMENTS: Final = st.fixed_dictionaries(
    {},
    optional={
        "url": TEXTS | OTHERS,
        "name": TEXTS | OTHERS,
        "contentType": TEXTS | OTHERS,
        "sizeBytes": TEXTS | OTHERS,
        "more": OTHERS,
    },
)
BODIES: Final = st.fixed_dictionaries(
    {},
    optional={
        "conversationId": TEXTS | OTHERS,
        "clientMessageId": TEXTS | OTHERS,
        "text": TEXTS | OTHERS | st.integers(4_094, 4_098).map(lambda length: "\U0001f600" * length),
        "kind": st.sampled_from(["text", "image", "file", "link", "system", "TEXT", "unspecified", "", 1, None]),
        "replyTo": TEXTS | OTHERS,
        "mentions": st.lists(TEXTS | OTHERS, max_size=3) | st.integers(49, 51).map(lambda n: ["ann"] * n) | OTHERS,
        "attachments": st.lists(ATTACHMENTS, max_size=3) | st.integers(19, 21).map(lambda n: [{"url": "u"}] * n),
        "seq": TEXTS | OTHERS,
        "active": TEXTS | OTHERS,
        "more": OTHERS,
    },
)
GOOD: Final[dict[str, dict[str, Any]]] = {
    "message.send": {"conversationId": "c", "clientMessageId": "m", "text": "hi"},
    "receipt.read": {"conversationId": "c", "seq": 1},
    "receipt.delivered": {"conversationId": "c", "seq": 1},
    "typing.set": {"conversationId": "c", "active": True},
}


def read_hot(op: str, text: bytes) -> Message | None:
    """Returns what the typed schema makes of a body; None where it leaves the body to the contract."""
    schema, make_command = HOT[op]
    try:
        command = make_command(msgspec.json.decode(text, type=schema))
    except (msgspec.DecodeError, NotHotError):
        return None
    if isinstance(command, SendMessage):
        return SendMessageRequest(draft=command.draft)
    assert isinstance(command, SendSignal)
    return command.signal


def read_by_contract(op: str, body: Any) -> Any:
    request = read_request(body, REQUESTS[op])
    if isinstance(request, SendMessageRequest):
        request.draft.kind = request.draft.kind or MESSAGE_KIND_TEXT
    return request


@pytest.mark.parametrize("op", HOT)
@settings(max_examples=300)
@given(changes=BODIES)
def test_what_the_schema_accepts_the_contract_reads_alike(op: str, changes: dict[str, Any]) -> None:
    body = GOOD[op] | changes
    hot = read_hot(op, json.dumps(body).encode())
    if hot is not None:
        assert list(problems_of(hot)) == []
        assert hot == read_by_contract(op, body)


@pytest.mark.parametrize("op", HOT)
def test_a_good_body_takes_the_hot_path(op: str) -> None:
    assert read_hot(op, json.dumps(GOOD[op]).encode()) == read_by_contract(op, GOOD[op])


def test_a_full_body_takes_the_hot_path() -> None:
    body = {
        "conversationId": "c" * 64,
        "clientMessageId": "\U0001f600" * 64,
        "text": "\U0001f600" * 4_096,
        "kind": "link",
        "replyTo": "m",
        "mentions": ["A-z_0.9:@", *["bob"] * 49],
        "attachments": [{"url": "u" * 2_000, "name": "n" * 200, "contentType": "t" * 100, "sizeBytes": 2**53 - 1}] * 20,
    }
    assert read_hot("message.send", json.dumps(body).encode()) == read_by_contract("message.send", body)


@pytest.mark.parametrize("op", HOT)
def test_the_command_of_the_contract_is_that_of_the_hot_path(op: str) -> None:
    schema, make_command = HOT[op]
    assert all_commands()[op](GOOD[op]) == make_command(msgspec.json.decode(json.dumps(GOOD[op]), type=schema))


@pytest.mark.parametrize(
    ("op", "change"),
    [
        ("message.send", {"mentions": ["ann\n"]}),
        ("message.send", {"mentions": [""]}),
        ("message.send", {"kind": "system"}),
        ("message.send", {"attachments": [{"url": ""}]}),
        ("message.send", {"attachments": [{}]}),
        ("message.send", {"text": "\u00e9" * 8_193}),
        ("receipt.read", {"seq": 0}),
        ("receipt.read", {"seq": True}),
        ("typing.set", {"active": 1}),
    ],
)
def test_what_the_contract_refuses_leaves_the_hot_path(op: str, change: dict[str, Any]) -> None:
    assert read_hot(op, json.dumps(GOOD[op] | change).encode()) is None
    with pytest.raises(InvalidArgumentError):
        read_by_contract(op, GOOD[op] | change)


@pytest.mark.parametrize("op", HOT)
def test_the_schema_has_the_fields_of_the_contract(op: str) -> None:
    schema, _ = HOT[op]
    assert issubclass(schema, Struct)
    fields = msgspec.structs.fields(schema)
    assert {field.encode_name: field.required for field in fields} == {
        field.name: field.required for field in request_fields(REQUESTS[op])
    }
