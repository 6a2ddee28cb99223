"""Drafts are valid by the contract and two rules of chat, whether or not they take the fast path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st
from parley.chat.v1 import chat_pb2, message_pb2

from chassis.contract.validator import problems_of
from chassis.errors import InvalidArgumentError
from services.chat import convert, message_data
from services.chat.requests import check_draft


def lengths(*values: int) -> st.SearchStrategy[str]:
    """Strings of these lengths, of characters that take 1 to 4 bytes of UTF-8."""
    return st.builds(lambda length, character: character * length, st.sampled_from(values), st.sampled_from("aä☃🙂"))


IDS = lengths(1, 64, 0, 65)
TEXTS = lengths(1, 0, 4_095, 4_096, 4_097, 16_384, 16_385) | st.sampled_from([" ", "\n\t", "\u2003", " a "])
KINDS = st.sampled_from([0, *chat_pb2.MessageKind.values(), -1, 99])
ATTACHMENTS = st.builds(
    chat_pb2.Attachment,
    url=st.sampled_from(["https://a.example", "http://a.example", "", "javascript:alert(1)", "https://" + "x" * 2_000]),
    name=lengths(0, 200, 201),
    size_bytes=st.sampled_from([0, -1]),
)


DATA: list[dict[str, Any]] = [{}, {"latitude": 1, "longitude": 2}, {"name": "Bob"}, {"emoji": "x"}]


def struct(fields: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(fields)
    return made


DRAFTS = st.builds(
    message_pb2.Draft,
    conversation_id=IDS,
    client_message_id=IDS,
    text=TEXTS,
    kind=KINDS,
    reply_to=st.just("") | IDS,
    mentions=st.just([]) | st.lists(st.sampled_from(["ann", "", "a b"]), max_size=2),
    attachments=st.just([]) | st.lists(ATTACHMENTS, max_size=2),
    data=st.none() | st.sampled_from(DATA).map(struct),
)


def problems(draft: message_pb2.Draft) -> dict[str, str]:
    """Returns the fields that check_draft refuses, each with its sentence."""
    try:
        check_draft(draft)
    except InvalidArgumentError as error:
        return dict(error.fields)
    return {}


def expected(draft: message_pb2.Draft) -> Iterator[str]:
    """Yields the fields that the contract refuses, and those that chat does."""
    yield from (name for name, _ in problems_of(draft))
    data = convert.data_of(draft)
    yield from message_data.problems_of(draft.kind, data, len(draft.attachments))
    if not draft.text.strip() and not draft.attachments and data is None:
        yield "text"
    if not all(attachment.url.startswith(("https://", "http://")) for attachment in draft.attachments):
        yield "attachments"


@given(DRAFTS)
def test_the_fast_path_and_the_contract_agree(draft: message_pb2.Draft) -> None:
    refused, wrong = problems(draft).keys(), set(expected(draft))
    assert bool(refused) == bool(wrong)
    assert refused <= wrong


@pytest.mark.parametrize("text", ["x" * 4_096, "🙂" * 4_096, "x" * 16_384])
def test_a_text_may_fill_the_limit(text: str) -> None:
    assert problems(message_pb2.Draft(conversation_id="c", client_message_id="1", text=text)) == {}


def test_an_attachment_stands_in_for_a_text() -> None:
    draft = message_pb2.Draft(conversation_id="c", client_message_id="1")
    assert problems(draft).keys() == {"text"}
    draft.attachments.add(url="https://a.example")
    assert problems(draft) == {}
    draft.attachments.add(url="ftp://a.example")
    assert problems(draft) == {"attachments": "must have http or https URLs"}
