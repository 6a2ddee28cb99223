"""A request that breaks a constraint is refused with the field's JSON name and what the field must be."""

from __future__ import annotations

from typing import Any, Final

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.contract.methods import all_services, message_class, methods_of
from chassis.contract.validator import problems_of, validate
from chassis.errors import InvalidArgumentError
from chassis.rpc.validation import MAX_PROBLEMS
from tests.unit.contract.example import new

ID: Final = "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -"
TIME: Final = "must be a time of the years 1 to 9999, such as 2026-01-31T12:00:00.000Z"
COLOR: Final = "must be one of RED, DARK_BLUE"
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799


def problems(message: Any) -> dict[str, str]:
    return dict(problems_of(message))


def everything(**fields: Any) -> Any:
    """Returns a request with the given fields, and the one list that must not be empty."""
    return new("EverythingRequest", **{"user_ids": ["ann"], **fields})


def point(**fields: Any) -> Any:
    return new("Point", **{"label": "a", **fields})


GOOD: Final[dict[str, dict[str, Any]]] = {
    "nothing": {},
    "plain": {"plain": "x" * 100_000},
    "shortest": {"sized": "ab"},
    "longest": {"sized": "abcd"},
    "characters, not bytes": {"sized": "\U0001f600" * 4},
    "empty though it has a minimum": {"sized": ""},
    "longest in bytes": {"bytes_sized": "\u00e9" * 4},
    "id": {"user_id": "A-z_0.9:@" + "x" * 55},
    "empty id": {"user_id": ""},
    "not blank": {"not_blank": " a "},
    "empty where blank is refused": {"not_blank": ""},
    "absent and present flag": {"maybe_flag": False},
    "optional text": {"maybe_text": "abc"},
    "empty optional text": {"maybe_text": ""},
    "unbounded integers": {"small": -(2**31), "large": 2**63 - 1, "unsigned": 2**32 - 1},
    "least": {"bounded": -3},
    "greatest": {"bounded": 3},
    "zero": {"natural": 0},
    "enum": {"color": 2, "poll_kind": 2},
    "first second": {"time": Timestamp(seconds=FIRST_SECOND)},
    "last nanosecond": {"time": Timestamp(seconds=LAST_SECOND, nanos=999_999_999)},
    "most items": {"names": ["a", "bcde", "f"]},
    "empty items": {"free_names": ["", ""]},
    "items of enums": {"colors": [1, 2, 1]},
    "items of integers": {"numbers": [1, 2**53 - 1]},
    "objects": {"points": [point(), point(x=-10, color=1)]},
    "first of a oneof": {"before": 1},
    "other of a oneof": {"after": ""},
    "inlined": {"renamed": new("Renamed", inner_text="abcde")},
    "internal": {"hidden": "x" * 1_000},
}


@pytest.mark.parametrize("fields", GOOD.values(), ids=GOOD)
def test_a_good_request_passes(fields: dict[str, Any]) -> None:
    validate(everything(**fields))


BAD: Final[list[tuple[dict[str, Any], str, str]]] = [
    ({"sized": "a"}, "sized", "must have 2 to 4 characters"),
    ({"sized": "abcde"}, "sized", "must have 2 to 4 characters"),
    ({"bytes_sized": "123456789"}, "bytesSized", "must have at most 8 bytes of UTF-8"),
    ({"bytes_sized": "\u00e9" * 4 + "a"}, "bytesSized", "must have at most 8 bytes of UTF-8"),
    ({"user_id": "a b"}, "userId", ID),
    ({"user_id": "a\n"}, "userId", ID),
    ({"user_id": "\u00e9"}, "userId", ID),
    ({"user_id": "x" * 65}, "userId", ID),
    ({"not_blank": " \t\u2003"}, "notBlank", "must not be blank"),
    ({"not_blank": "x" * 11}, "notBlank", "must have 1 to 10 characters"),
    ({"maybe_text": "abcd"}, "maybeText", "must have at most 3 characters"),
    ({"bounded": -4}, "bounded", "must be -3 to 3"),
    ({"bounded": 4}, "bounded", "must be -3 to 3"),
    ({"natural": -1}, "natural", "must be an integer of at least 0"),
    ({"color": 3}, "color", COLOR),
    ({"poll_kind": 3}, "pollKind", "must be one of open, secret"),
    ({"time": Timestamp(seconds=FIRST_SECOND - 1)}, "time", TIME),
    ({"time": Timestamp(seconds=LAST_SECOND + 1)}, "time", TIME),
    ({"time": Timestamp(nanos=-1)}, "time", TIME),
    ({"time": Timestamp(nanos=1_000_000_000)}, "time", TIME),
    ({"times": [Timestamp(), Timestamp(nanos=-1)]}, "times", f"each {TIME}"),
    ({"names": ["a"] * 4}, "names", "must have at most 3 items"),
    ({"names": ["a", ""]}, "names", "each must have 1 to 4 characters"),
    ({"names": ["a", "abcde"]}, "names", "each must have 1 to 4 characters"),
    ({"user_ids": []}, "userIds", "must have 1 to 2 items"),
    ({"user_ids": ["a", "b", "c"]}, "userIds", "must have 1 to 2 items"),
    ({"user_ids": [""]}, "userIds", f"each {ID}"),
    ({"colors": [1, 0]}, "colors", f"each {COLOR}"),
    ({"numbers": [1, 0]}, "numbers", "each must be an integer of at least 1"),
    ({"numbers": [2**53]}, "numbers", "each must be an integer of at least 1"),
    ({"point": new("Point")}, "point.label", "must have 1 to 5 characters"),
    ({"point": point(x=11)}, "point.x", "must be -10 to 10"),
    ({"point": point(seen_time=Timestamp(nanos=-1))}, "point.seenTime", TIME),
    ({"points": [point(), point(color=9)]}, "points[1].color", COLOR),
    ({"points": [point()] * 3}, "points", "must have at most 2 items"),
    ({"before": 0}, "before", "must be an integer of at least 1"),
    ({"renamed": new("Renamed", inner_text="abcdef")}, "innerHTML", "must have at most 5 characters"),
]


@pytest.mark.parametrize(("fields", "name", "sentence"), BAD)
def test_a_bad_field_is_named_with_what_it_must_be(fields: dict[str, Any], name: str, sentence: str) -> None:
    assert problems(everything(**fields)) == {name: sentence}


def test_all_bad_fields_are_reported_at_once() -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        validate(everything(sized="a", bounded=4))
    assert raised.value.reason == "INVALID_FIELDS"
    assert raised.value.fields == {"sized": "must have 2 to 4 characters", "bounded": "must be -3 to 3"}
    assert raised.value.message == "sized must have 2 to 4 characters; bounded must be -3 to 3"


def test_an_error_has_room_for_some_fields_only() -> None:
    draft = next(method for method in methods_of(all_services()) if method.name == "SendMessage")
    request: Any = message_class(draft.input)()
    for _ in range(20):
        request.draft.attachments.add(url="", name="x" * 201, content_type="x" * 101, size_bytes=-1)
    with pytest.raises(InvalidArgumentError) as raised:
        validate(request)
    assert len(raised.value.fields) == MAX_PROBLEMS


# Required fields.


def test_an_empty_request_lacks_what_is_required() -> None:
    assert problems(new("RequiredRequest")) == {
        "name": "must have 1 to 4 characters",
        "userId": ID,
        "color": COLOR,
        "time": "is required",
        "point": "is required",
        "maybe": "is required",
    }


def test_a_required_field_may_have_its_default_where_that_says_something() -> None:
    request = new(
        "RequiredRequest", name="a", user_id="ann", color=1, time=Timestamp(), point=point(), maybe="", number=0
    )
    assert problems(request) == {}


def test_a_required_object_is_checked_inside() -> None:
    request = new("RequiredRequest", name="a", user_id="ann", color=1, time=Timestamp(), maybe="", point=point(x=11))
    assert problems(request) == {"point.x": "must be -10 to 10"}


# Inlined messages.


def poll(**fields: Any) -> Any:
    return new("Poll", **{"poll_id": "p", **fields})


def test_a_new_resource_needs_what_must_not_be_blank() -> None:
    empty = new("CreatePollRequest", kind=1, poll=new("Poll"))
    assert problems(empty) == {"question": "must have 1 to 200 characters", "options": "must have 2 to 10 items"}
    assert problems(new("CreatePollRequest", kind=1, poll=poll(question="?", options=["a", "b"]))) == {}


def test_the_fields_that_a_request_does_not_set_are_not_checked() -> None:
    request = new("CreatePollRequest", kind=1, poll=poll(poll_id="x" * 100, question="?", options=["a", "b"]))
    assert problems(request) == {}


@pytest.mark.parametrize(
    ("fields", "paths", "expected"),
    [
        ({"question": "?"}, ["question"], {}),
        ({"question": ""}, ["question"], {"question": "must have 1 to 200 characters"}),
        ({"question": "  "}, ["question"], {"question": "must not be blank"}),
        ({"question": "  ", "options": ["a", "b"]}, ["options"], {}),
        ({"options": ["a"]}, ["options"], {"options": "must have 2 to 10 items"}),
        ({}, ["close_time"], {}),
        ({"question": "?"}, [], {"updateMask": "must name a field"}),
        ({"close_time": Timestamp(nanos=-1)}, ["close_time"], {"closeTime": TIME}),
        ({"kind": 1}, ["kind"], {"updateMask": "may only have question, options, close_time"}),
        ({}, ["poll_id"], {"updateMask": "may only have question, options, close_time"}),
        (
            {},
            ["no_such_field", "question"],
            {
                "updateMask": "may only have question, options, close_time",
                "question": "must have 1 to 200 characters",
            },
        ),
        ({"poll_id": ""}, ["close_time"], {"pollId": "must have 1 to 64 characters"}),
    ],
)
def test_a_change_is_checked_where_its_mask_names_it(
    fields: dict[str, Any], paths: list[str], expected: dict[str, str]
) -> None:
    request = new("UpdatePollRequest", poll=poll(**fields), update_mask=FieldMask(paths=paths))
    assert problems(request) == expected


def test_a_single_field_is_checked_even_without_a_mask() -> None:
    request = new("SingleChangeRequest", poll=poll(close_time=Timestamp(nanos=-1)))
    assert problems(request) == {"closeTime": TIME}
    assert problems(new("SingleChangeRequest", poll=poll())) == {}


# Whatever a caller sends.


REQUESTS: Final = {method.descriptor.full_name: method.input for method in methods_of(all_services())}


@pytest.mark.parametrize("name", REQUESTS)
@settings(max_examples=30)
@given(data=st.binary(max_size=200))
def test_no_bytes_make_validation_fail(name: str, data: bytes) -> None:
    message = message_class(REQUESTS[name])()
    try:
        message.MergeFromString(data)
    except Exception:  # bytes that are no message
        return
    for field_name, sentence in problems_of(message):
        assert field_name
        assert sentence
