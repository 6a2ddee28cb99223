"""Page tokens come back from anywhere: what they say is what was given, or they are refused."""

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
def test_a_token_says_what_it_was_made_of(cursor: tuple[int, str], query: str) -> None:
    assert decoded(encode_token(list(cursor), query), query) == cursor


def test_no_token_is_no_cursor() -> None:
    assert decoded("", "query") is None


@given(cursors, st.integers(0), st.characters())
def test_a_token_that_was_tampered_with_is_refused_or_says_the_same(
    cursor: tuple[int, str], place: int, character: str
) -> None:
    token = encode_token(list(cursor), "query")
    at = place % len(token)
    try:
        assert decoded(token[:at] + character + token[at + 1 :], "query") == cursor
    except InvalidArgumentError as refused:
        assert refused.reason == "INVALID_PAGE_TOKEN"


@given(st.lists(anything, max_size=4))
def test_a_forged_token_is_refused_unless_it_could_have_been_given(cursor: list[Any]) -> None:
    """The checksum is no secret, so a forged one may be right."""
    try:
        read = decoded(encode_token(cursor, "query"), "query")
    except InvalidArgumentError as refused:
        assert list(refused.fields) == ["pageToken"]
        return
    assert read is not None
    at_ms, key = read
    assert 0 <= at_ms <= 253_402_300_799_999
    assert isinstance(key, str)


@given(st.text())
def test_any_text_is_a_token_or_none(text: str) -> None:
    try:
        decoded(text, "query")
    except InvalidArgumentError as refused:
        assert refused.reason == "INVALID_PAGE_TOKEN"


def test_a_token_is_of_one_listing_and_of_bounded_length() -> None:
    for token in (encode_token([1, "x"], "another"), encode_token([1, "x" * 3_000], "query"), "A" * 1_000_000):
        with pytest.raises(InvalidArgumentError):
            decoded(token, "query")


@pytest.mark.parametrize(
    ("requested", "given"), [(0, DEFAULT_PAGE_SIZE), (1, 1), (200, 200), (201, MAX_PAGE_SIZE), (2**31 - 1, 200)]
)
def test_page_sizes_have_a_default_and_a_limit(requested: int, given: int) -> None:
    assert page_size(requested) == given


@pytest.mark.parametrize("requested", [-1, -(2**31)])
def test_a_negative_page_size_is_refused(requested: int) -> None:
    with pytest.raises(InvalidArgumentError, match="INVALID_PAGE_SIZE"):
        page_size(requested)
