"""Page tokens from callers decode to the encoded cursor, or are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidArgumentError
from chassis.rpc.paging import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Milliseconds, decode_token, encode_token, page_size

cursors = st.tuples(st.integers(0, 253_402_300_799_999), st.text(max_size=100))
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def decoded(token: str, query: str) -> tuple[int, str] | None:
    return decode_token(token, query, tuple[Milliseconds, str])


@given(cursors, st.text())
def test_a_token_decodes_to_its_cursor(cursor: tuple[int, str], query: str) -> None:
    assert decoded(encode_token(list(cursor), query), query) == cursor


def test_an_empty_token_is_no_cursor() -> None:
    assert decoded("", "query") is None


@given(cursors, st.integers(0), st.characters())
def test_a_corrupt_token_is_refused_or_decodes_to_the_same(cursor: tuple[int, str], index: int, character: str) -> None:
    token = encode_token(list(cursor), "query")
    at = index % len(token)
    try:
        assert decoded(token[:at] + character + token[at + 1 :], "query") == cursor
    except InvalidArgumentError as refused:
        assert refused.reason == "INVALID_PAGE_TOKEN"


@given(st.lists(anything, max_size=4))
def test_a_forged_token_is_refused_unless_its_cursor_is_valid(cursor: list[Any]) -> None:
    """The checksum has no secret, so anyone can forge one."""
    try:
        position = decoded(encode_token(cursor, "query"), "query")
    except InvalidArgumentError as refused:
        assert list(refused.fields) == ["pageToken"]
        return
    assert position is not None
    at_ms, key = position
    assert 0 <= at_ms <= 253_402_300_799_999
    assert isinstance(key, str)


@given(st.text())
def test_any_text_decodes_or_is_refused(text: str) -> None:
    try:
        decoded(text, "query")
    except InvalidArgumentError as refused:
        assert refused.reason == "INVALID_PAGE_TOKEN"


def test_tokens_of_other_listings_and_long_ones_are_refused() -> None:
    for token in (encode_token([1, "x"], "another"), encode_token([1, "x" * 3_000], "query"), "A" * 1_000_000):
        with pytest.raises(InvalidArgumentError):
            decoded(token, "query")


@pytest.mark.parametrize(
    ("requested", "expected"), [(0, DEFAULT_PAGE_SIZE), (1, 1), (200, 200), (201, MAX_PAGE_SIZE), (2**31 - 1, 200)]
)
def test_page_sizes_have_a_default_and_a_limit(requested: int, expected: int) -> None:
    assert page_size(requested) == expected
