"""Random frames in every dialect: any text, any JSON, and nearly valid requests of every operation."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from chassis.contract.methods import all_services, methods_of
from gateway.dialects.native.dialect import NAME as NATIVE
from gateway.wire.json_reader import request_fields
from tests.fuzz.frames import DIALECTS, check_frame, frame_of, operations_of, request_text

NAMES = sorted(DIALECTS)
CLAIMS = ["organizationId", "senderId", "userId", "userRole"]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=80)
    | st.sampled_from(["", "image", "online", "2026-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "\x00", "\U0001f600"])
    | st.sampled_from(["7", 7, "ann", "acme", "sales", 2**53, -1, 10**30])
)
acknowledgements = st.sampled_from(["", "0", "7", "999999999999999999"])
every_dialect = pytest.mark.parametrize("name", NAMES)


@cache
def words(name: str) -> list[str]:
    """Returns the names of all fields of a dialect."""
    if name == NATIVE:
        return sorted({field.name for method in methods_of(all_services()) for field in request_fields(method.input)})
    forms = [operation.form for operation in operations_of(name).values()]
    return sorted({field.encode_name for form in forms for field in fields(form)} | {*CLAIMS, "tempId"})


@cache
def values(name: str) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(words(name)), inner),
        max_leaves=6,
    )


@cache
def nearly_good(name: str) -> st.SearchStrategy[Any]:
    """Returns a request with a mostly known name, and a body of mostly known fields."""
    operation = st.sampled_from(sorted(operations_of(name))) | scalars
    body = st.dictionaries(st.sampled_from(words(name)), values(name), max_size=6) | values(name)
    more = st.dictionaries(st.sampled_from(["id", "op", "body", "type", "tempId", "more"]), scalars, max_size=2)
    return st.builds(lambda one, two, three: request_text(name, one, two, three), operation, body, more)


@every_dialect
@settings(max_examples=400, deadline=None)
@given(text=st.text(), acknowledgement=acknowledgements)
def test_any_text_is_answered(name: str, text: str, acknowledgement: str) -> None:
    check_frame(name, frame_of(name, text, acknowledgement))


@every_dialect
@settings(max_examples=600, deadline=None)
@given(data=st.data(), ascii_only=st.booleans(), acknowledgement=acknowledgements)
def test_any_nearly_good_request_is_answered(
    name: str, data: st.DataObject, ascii_only: bool, acknowledgement: str
) -> None:
    text = json.dumps(data.draw(nearly_good(name)), ensure_ascii=ascii_only)
    check_frame(name, frame_of(name, text, acknowledgement))


@every_dialect
@settings(max_examples=300, deadline=None)
@given(data=st.data(), place=st.integers(0), insert=st.text(max_size=4), drop=st.integers(0, 8))
def test_any_damaged_request_is_answered(name: str, data: st.DataObject, place: int, insert: str, drop: int) -> None:
    text = json.dumps(data.draw(nearly_good(name)))
    at = place % (len(text) + 1)
    check_frame(name, frame_of(name, text[:at] + insert + text[at + drop :]))


@every_dialect
def test_what_is_nested_without_end_is_answered(name: str) -> None:
    for opening, inner in (("[", ""), ('{"a":', "1"), ('{"id":1,"op":"message.send","body":[', ""), ('["typing",', "")):
        check_frame(name, frame_of(name, opening * 10_000 + inner))
    for text in ('{"id":1,"op":"\\ud800"}', '"' + "\\ud800" * 9 + '"', "9" * 60_000, "-0", "1e999", "\x00", "\ufeff{}"):
        check_frame(name, frame_of(name, text))


@every_dialect
def test_what_is_nested_as_deep_as_can_be_read_is_answered(name: str) -> None:
    """A reply does not repeat it, since encoding it could exceed the recursion limit."""
    for operation in ("no such thing", next(iter(operations_of(name)))):
        for depth in range(1, 1_000):
            nested = "[" * depth + "]" * depth
            text = json.dumps(request_text(name, operation, {"tempId": "HERE", "conversationId": "HERE"}))
            check_frame(name, frame_of(name, text.replace('"HERE"', nested)))


@every_dialect
def test_what_is_long_is_not_repeated(name: str) -> None:
    long = "x" * 60_000
    for body in ({"tempId": long}, {"conversationId": long}, {"clientMessageId": long}, {long: long}):
        check_frame(name, frame_of(name, json.dumps(request_text(name, "no such thing", body))))
    check_frame(name, frame_of(name, json.dumps(request_text(name, long, {}))))
