"""Ids that are numbers go out as numbers, and come back as the same ids."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.ids import AnyId, format_id, is_echoed, key_to_own_id, own_id_to_key, parse_id
from gateway.dialects.validation import MAX_INTEGER

texts = st.text(min_size=1, max_size=64) | st.from_regex(r"'?[0-9]{1,20}", fullmatch=True)
numbers = st.integers(0, MAX_INTEGER)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ("7", 7),
        ("0", 0),
        (str(MAX_INTEGER), MAX_INTEGER),
        (str(MAX_INTEGER + 1), str(MAX_INTEGER + 1)),
        ("007", "007"),
        ("00", "00"),
        ("-7", "-7"),
        ("+7", "+7"),
        ("7.0", "7.0"),
        ("1e3", "1e3"),
        ("1_000", "1_000"),
        (" 7", " 7"),
        ("\u0667", "\u0667"),
        ("\u00b2", "\u00b2"),
        ("", ""),
        ("ann", "ann"),
        ("9" * 64, "9" * 64),
    ],
)
def test_only_what_is_all_digits_and_a_number_goes_out_as_one(known: str, said: str | int) -> None:
    assert format_id(known) == said
    assert type(format_id(known)) is type(said)


@given(texts)
def test_an_id_that_went_out_means_the_same_when_it_comes_back(known: str) -> None:
    assert parse_id(format_id(known)) == known


@given(texts)
def test_a_front_end_in_javascript_keeps_it(known: str) -> None:
    """Its integers are exact up to 53 bits."""
    said = json.loads(json.dumps(format_id(known)))
    assert not isinstance(said, int) or int(float(said)) == said
    assert parse_id(said) == known


@given(numbers)
def test_a_number_and_its_digits_come_in_as_the_same(number: int) -> None:
    assert parse_id(number) == parse_id(str(number))
    assert format_id(parse_id(number)) == number


@given(texts | numbers)
def test_a_front_ends_own_id_comes_back_as_it_was(own: str | int) -> None:
    back = key_to_own_id(own_id_to_key(own))
    assert back == own
    assert type(back) is type(own)


@given(texts | numbers, texts | numbers)
def test_own_ids_that_differ_have_keys_that_differ(one: str | int, other: str | int) -> None:
    """Except a large number and its text, since no front-end uses both."""
    if own_id_to_key(one) == own_id_to_key(other):
        assert one == other
        assert type(one) is type(other)


@pytest.mark.parametrize("bad", ["", "x" * 65, -1, MAX_INTEGER + 1, 1.0, True, None, [], {}])
def test_what_is_no_id_does_not_come_in(bad: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(bad, AnyId)


@pytest.mark.parametrize(
    ("given_", "repeated"),
    [("x" * 64, True), ("x" * 65, False), (7, True), (10**64, False), (None, False), ([], False), ({}, False)],
)
def test_an_answer_repeats_what_is_short_and_flat(given_: object, repeated: bool) -> None:
    assert is_echoed(given_) is repeated
