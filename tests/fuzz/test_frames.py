"""Frames by chance: any text, any JSON, and nearly good requests of every operation."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from gateway.dialects.native_requests import OPERATIONS
from tests.fuzz.frames import check_frame

NAMES = sorted({field.encode_name for operation in OPERATIONS.values() for field in fields(operation.form)})
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=80)
    | st.sampled_from(["", "image", "online", "2026-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "\x00", "\U0001f600"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner), max_leaves=6
)
nearly_good = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(1, 1 << 60) | scalars,
        "op": st.sampled_from(sorted(OPERATIONS)) | scalars,
        "body": st.dictionaries(st.sampled_from(NAMES), values, max_size=6) | values,
        "more": scalars,
    },
)


@settings(max_examples=1_000, deadline=None)
@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    check_frame(text)


@settings(max_examples=1_500, deadline=None)
@given(nearly_good, st.booleans())
def test_any_nearly_good_request_is_answered(frame: dict[str, Any], ascii_only: bool) -> None:
    check_frame(json.dumps(frame, ensure_ascii=ascii_only))


@settings(max_examples=500, deadline=None)
@given(nearly_good, st.integers(0), st.text(max_size=4), st.integers(0, 8))
def test_any_damaged_request_is_answered(frame: dict[str, Any], place: int, insert: str, drop: int) -> None:
    text = json.dumps(frame)
    at = place % (len(text) + 1)
    check_frame(text[:at] + insert + text[at + drop :])


def test_what_is_nested_without_end_is_answered() -> None:
    for opening, inner in (("[", ""), ('{"a":', "1"), ('{"id":1,"op":"message.send","body":[', "")):
        check_frame(opening * 10_000 + inner)
    for text in ('{"id":1,"op":"\\ud800"}', '"' + "\\ud800" * 9 + '"', "9" * 60_000, "-0", "1e999", "\x00", "\ufeff{}"):
        check_frame(text)
