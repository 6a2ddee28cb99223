"""How the fields of a request are read and what is said of bad ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from chassis.errors import InvalidArgumentError
from gateway.rest.fields import fields_renamed, read_fields, sentence_of


class Line(Struct, rename="camel"):
    quantity: int


class Order(Struct, rename="camel"):
    customer_id: Annotated[str, Meta(min_length=1, max_length=4)]
    size: Annotated[int, Meta(ge=1, le=9)] = 3
    gift: bool = False
    colour: Literal["red", "blue"] | None = None
    tags: Annotated[list[Annotated[str, Meta(max_length=2)]], Meta(max_length=2)] = []
    due: Annotated[datetime, Meta(tz=True)] | None = None
    lines: list[Line] = []


def problems(raw: dict[str, Any], *, texts: bool = False) -> dict[str, str]:
    with pytest.raises(InvalidArgumentError) as caught:
        read_fields(raw, Order, texts=texts)
    assert caught.value.reason == "INVALID_FIELDS"
    return caught.value.fields


def test_fields_come_by_their_names_on_the_wire() -> None:
    order = read_fields({"customerId": "ada", "size": 9, "due": "2026-01-02T03:04:05Z"}, Order)
    assert order == Order(customer_id="ada", size=9, due=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_unknown_fields_are_passed_over() -> None:
    assert read_fields({"customerId": "ada", "colourScheme": 7}, Order) == Order(customer_id="ada")


def test_a_null_is_a_field_that_is_left_out() -> None:
    assert read_fields({"customerId": "ada", "size": None}, Order) == Order(customer_id="ada")
    assert problems({"customerId": None}) == {"customerId": "is missing"}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("customerId", "", "must be a text of 1 to 4 characters"),
        ("customerId", "abcde", "must be a text of 1 to 4 characters"),
        ("customerId", 7, "must be a text of 1 to 4 characters"),
        ("size", "3", "must be a whole number from 1 to 9"),
        ("size", 0, "must be a whole number from 1 to 9"),
        ("size", 2.5, "must be a whole number from 1 to 9"),
        ("size", True, "must be a whole number from 1 to 9"),
        ("size", 10**30, "must be a whole number from 1 to 9"),
        ("gift", "true", "must be true or false"),
        ("gift", 1, "must be true or false"),
        ("colour", "green", "must be one of blue, red"),
        ("colour", [], "must be one of blue, red"),
        ("tags", "ab", "must be a list of at most 2, each entry of which must be a text of 0 to 2 characters"),
        ("tags", ["abc"], "must be a list of at most 2, each entry of which must be a text of 0 to 2 characters"),
        ("tags", ["a"] * 3, "must be a list of at most 2, each entry of which must be a text of 0 to 2 characters"),
        ("due", "tomorrow", "must be a time such as 2026-01-31T12:00:00Z"),
        ("due", "2026-01-02T03:04:05", "must be a time such as 2026-01-31T12:00:00Z"),
        ("lines", [{}], "must be a list, each entry of which must be an object as the documentation says"),
    ],
)
def test_a_bad_field_is_told_what_it_must_be(field: str, value: object, sentence: str) -> None:
    assert problems({"customerId": "ada", field: value}) == {field: sentence}


def test_all_bad_fields_are_told_at_once() -> None:
    assert set(problems({"size": 0, "gift": "no"})) == {"customerId", "size", "gift"}


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("false", False), ("1", True), ("0", False), ("TRUE", True)]
)
def test_a_query_says_booleans_in_texts(text: str, value: bool) -> None:
    assert read_fields({"customerId": "ada", "gift": text}, Order, texts=True).gift is value


@pytest.mark.parametrize("text", ["yes", "2", "-1", "truee"])
def test_a_query_with_another_text_for_a_boolean_is_refused(text: str) -> None:
    assert problems({"customerId": "ada", "gift": text}, texts=True) == {"gift": "must be true or false"}


@pytest.mark.parametrize("text", ["0", "-1", "10", "x", "1e1", "0x1", "1_0", " 1", "9" * 50])
def test_a_query_with_a_bad_number_is_refused(text: str) -> None:
    assert set(problems({"customerId": "ada", "size": text}, texts=True)) == {"size"}


def test_an_empty_text_in_a_query_is_a_field_that_is_left_out() -> None:
    assert read_fields({"customerId": "ada", "size": "", "colour": ""}, Order, texts=True) == Order(customer_id="ada")
    assert problems({"customerId": ""}, texts=True) == {"customerId": "is missing"}


def test_a_text_without_limits_is_just_a_text() -> None:
    assert sentence_of(str) == "be a text"
    assert sentence_of(int) == "be a whole number"


def test_a_services_complaint_speaks_of_fields_as_they_are_called_here() -> None:
    complaint = InvalidArgumentError("INVALID_FIELDS", "text is blank", fields={"text": "is blank", "rest": "is odd"})
    with pytest.raises(InvalidArgumentError) as caught, fields_renamed({"text": "content", "rest": "rest"}.__getitem__):
        raise complaint
    assert caught.value.fields == {"content": "is blank", "rest": "is odd"}
    assert caught.value.message == "content is blank; rest is odd"


def test_a_complaint_about_no_field_stays_as_it_is() -> None:
    with pytest.raises(InvalidArgumentError) as caught, fields_renamed(str.upper):
        raise InvalidArgumentError("INVALID_PAGE_TOKEN", "the page token is not one of this listing")
    assert (caught.value.message, caught.value.fields) == ("the page token is not one of this listing", {})
