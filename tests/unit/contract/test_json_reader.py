"""JSON becomes a request, or an error that says of each bad field what it must be."""

from __future__ import annotations

from typing import Any, Final

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.contract.methods import all_services, methods_of
from chassis.contract.validator import problems_of
from chassis.errors import InvalidArgumentError
from gateway.wire.json_reader import body_from_texts, read_request, request_fields
from gateway.wire.json_writer import struct_object
from tests.unit.contract.example import descriptor, new
from tests.unit.contract.json_values import VALUES

ID: Final = "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -"
TIME: Final = "must be a time of the years 1 to 9999, such as 2026-01-31T12:00:00.000Z"
MAX: Final = 2**53 - 1
SURROGATE: Final = "\ud800"


def read(message: str, **body: Any) -> Any:
    return read_request(body, descriptor(message))


def everything(**body: Any) -> Any:
    """Reads a request with the given fields, and the one list that must not be empty."""
    return read("EverythingRequest", **{"userIds": ["ann"], **body})


def expected(**fields: Any) -> Any:
    """Returns what `everything` should read."""
    request = new("EverythingRequest", **{"user_ids": ["ann"], **fields})
    request.renamed.SetInParent()
    return request


def refusal(message: str, body: Any) -> dict[str, str]:
    with pytest.raises(InvalidArgumentError) as raised:
        read_request(body, descriptor(message))
    assert raised.value.reason == "INVALID_FIELDS"
    assert raised.value.message == "; ".join(f"{name} {text}" for name, text in raised.value.fields.items())
    return dict(raised.value.fields)


def point(**fields: Any) -> Any:
    return new("Point", **{"label": "a", **fields})


GOOD: Final[list[tuple[dict[str, Any], dict[str, Any]]]] = [
    ({}, {}),
    ({"plain": "h\u00e9llo \U0001f600 \x00"}, {"plain": "h\u00e9llo \U0001f600 \x00"}),
    ({"bytesSized": "\u00e9" * 4}, {"bytes_sized": "\u00e9" * 4}),
    ({"userId": "ann"}, {"user_id": "ann"}),
    ({"userId": 0}, {"user_id": "0"}),
    ({"userId": MAX}, {"user_id": str(MAX)}),
    ({"userIds": [7, "bob"]}, {"user_ids": ["7", "bob"]}),
    ({"flag": True, "maybeFlag": False}, {"flag": True, "maybe_flag": False}),
    ({"maybeText": ""}, {"maybe_text": ""}),
    ({"small": 2**31 - 1}, {"small": 2**31 - 1}),
    ({"small": MAX, "natural": 2**31}, {"small": 2**31 - 1, "natural": 2**31 - 1}),  # a page's size has a limit anyway
    ({"small": -(2**31 - 1)}, {"small": -(2**31 - 1)}),
    ({"large": -MAX}, {"large": -MAX}),
    ({"large": MAX}, {"large": MAX}),
    ({"bounded": -3, "natural": 0, "unsigned": 0}, {"bounded": -3}),
    ({"color": "DARK_BLUE", "pollKind": "secret"}, {"color": 2, "poll_kind": 2}),
    ({"colors": ["RED", "RED"]}, {"colors": [1, 1]}),
    ({"time": "2026-01-31T13:30:00+01:30"}, {"time": Timestamp(seconds=1_769_860_800)}),
    ({"time": "1970-01-01T00:00:00.25z"}, {"time": Timestamp(nanos=250_000_000)}),
    ({"times": ["1970-01-01T00:00:01Z"]}, {"times": [Timestamp(seconds=1)]}),
    ({"point": {"label": "a"}}, {"point": point()}),
    (
        {"points": [{"label": "a", "x": -10}, {"label": "b", "color": "RED"}]},
        {"points": [point(x=-10), point(label="b", color=1)]},
    ),
    ({"names": [], "freeNames": [""]}, {"free_names": [""]}),
    ({"numbers": [1, MAX]}, {"numbers": [1, MAX]}),
    ({"before": 1}, {"before": 1}),
    ({"before": None, "after": ""}, {"after": ""}),
    ({"innerHTML": "<b/>"}, {"renamed": new("Renamed", inner_text="<b/>")}),
    ({"hidden": "from JSON", "no such field": {}, SURROGATE: SURROGATE}, {}),
    ({"user_id": "the proto's name is no JSON name", "inner_text": "x"}, {}),
]


@pytest.mark.parametrize(("body", "fields"), GOOD)
def test_a_good_body_becomes_a_request(body: dict[str, Any], fields: dict[str, Any]) -> None:
    assert everything(**body) == expected(**fields)


@pytest.mark.parametrize(
    "name", [f.name for f in request_fields(descriptor("EverythingRequest")) if f.name != "userIds"]
)
def test_null_is_the_same_as_absent(name: str) -> None:
    assert everything(**{name: None}) == expected()


def test_null_is_the_same_as_absent_inside_objects() -> None:
    assert everything(point={"label": "a", "x": None, "color": None, "seenTime": None}) == expected(point=point())


BOOLEAN, INTEGER, STRING, OBJECT, LIST = (
    "must be true or false",
    "must be an integer",
    "must be a string",
    "must be an object",
    "must be a list",
)
STRUCT: Final = "must be an object of at most 20 levels"
COLOR: Final = "must be one of RED, DARK_BLUE"
NO_TIMES: Final[tuple[Any, ...]] = ("", "2026-01-31", "2026-02-30T00:00:00Z", "2026-01-31T12:00:00", 5, {}, SURROGATE)
NO_STRUCTS: Final[tuple[Any, ...]] = (
    *([], "x", 5),
    *({"a": value} for value in (float("nan"), float("-inf"), 10**400, SURROGATE)),
    {SURROGATE: 1},
)
BAD: Final[list[tuple[str, tuple[Any, ...], str]]] = [
    ("plain", (0, 1.5, True, [], {}, SURROGATE), STRING),
    ("sized", ("a", "abcde", 5, SURROGATE * 3), "must have 2 to 4 characters"),
    ("bytesSized", ("\u00e9" * 5, 5), "must have at most 8 bytes of UTF-8"),
    ("userId", ("", "a b", "x" * 65, -1, MAX + 1, 1.0, True, [], SURROGATE), ID),
    ("notBlank", ("x" * 11, 5), "must have 1 to 10 characters"),
    ("notBlank", ("  ",), "must not be blank"),
    ("flag", (0, 1, "true", "", [], {}), BOOLEAN),
    ("small", (MAX + 1, -(2**31), 1.0, "1", True, 1e300), INTEGER),
    ("large", (MAX + 1, -MAX - 1, 10**400, float("nan"), float("inf"), "1"), INTEGER),
    ("bounded", (-4, 4, "0", False), "must be -3 to 3"),
    ("natural", (-1, MAX + 1, "0"), "must be an integer of at least 0"),
    ("unsigned", (-1, 2**31), INTEGER),
    ("color", ("red", "", "UNSPECIFIED", "COLOR_RED", 1, 0, [], SURROGATE), COLOR),
    ("pollKind", ("legacy", "OPEN", 3), "must be one of open, secret"),
    ("time", NO_TIMES, TIME),
    ("time", ("9999-12-31T23:59:59-00:01",), TIME),
    ("time", ("0001-01-01T00:00:00+00:01",), TIME),
    ("data", NO_STRUCTS, STRUCT),
    ("point", ([], "x", 5, True), OBJECT),
    ("names", ("a", {}, 5, ["a"] * 4), "must have at most 3 items"),
    ("names", ([""], ["abcde"], [5], ["a", None], [[]]), "each must have 1 to 4 characters"),
    ("freeNames", ("a", {}, 5), LIST),
    ("freeNames", ([5], [None], [SURROGATE]), f"each {STRING}"),
    ("userIds", ([], "a", ["a"] * 3), "must have 1 to 2 items"),
    ("userIds", ([""], [None], [-1]), f"each {ID}"),
    ("colors", (["RED", "red"], [1]), f"each {COLOR}"),
    ("numbers", ([0], [1, 2**53], ["1"]), "each must be an integer of at least 1"),
    ("points", ([{"label": "a"}, 5],), f"each {OBJECT}"),
    ("times", (["never"],), f"each {TIME}"),
    ("innerHTML", ("too long",), "must have at most 5 characters"),
]


@pytest.mark.parametrize(("name", "values", "sentence"), BAD)
def test_a_bad_value_is_refused_with_what_it_must_be(name: str, values: tuple[Any, ...], sentence: str) -> None:
    for value in values:
        assert refusal("EverythingRequest", {"userIds": ["ann"], name: value}) == {name: sentence}


def test_the_bad_fields_of_objects_are_named_by_their_place() -> None:
    points: list[Any] = [{"label": "a"}, {"x": 11}, {"label": 5, "color": "red"}, {"label": ""}]
    assert refusal("EverythingRequest", {"userIds": ["ann"], "point": {"x": "1"}, "points": points[:2]}) == {
        "point.label": "is required",
        "point.x": "must be -10 to 10",
        "points[1].label": "is required",
        "points[1].x": "must be -10 to 10",
    }
    assert refusal("EverythingRequest", {"userIds": ["ann"], "points": points[2:]}) == {
        "points[0].label": "must have 1 to 5 characters",
        "points[0].color": COLOR,
        "points[1].label": "must have 1 to 5 characters",
    }


def test_every_bad_field_is_reported_in_the_order_of_the_contract() -> None:
    body = {"before": 0, "points": [{"x": 11}], "userIds": ["ann"], "flag": 1, "sized": "a"}
    assert list(refusal("EverythingRequest", body).items()) == [
        ("sized", "must have 2 to 4 characters"),
        ("flag", "must be true or false"),
        ("points[0].label", "is required"),
        ("points[0].x", "must be -10 to 10"),
        ("before", "must be an integer of at least 1"),
    ]


@pytest.mark.parametrize("fields", [("before", "after"), ("after", "before")])
def test_the_fields_of_a_oneof_exclude_each_other(fields: tuple[str, str]) -> None:
    values = {"before": 1, "after": "x"}
    body = {"userIds": ["ann"], **{name: values[name] for name in fields}}
    assert refusal("EverythingRequest", body) == {"after": "must not be given together with before"}


@pytest.mark.parametrize("body", [[], "x", 5, True, 1.5])
def test_a_body_must_be_an_object(body: Any) -> None:
    assert refusal("EverythingRequest", body) == {"body": "must be an object"}


def test_no_body_is_an_empty_object() -> None:
    assert (
        refusal("EverythingRequest", None) == refusal("EverythingRequest", {}) == {"userIds": "must have 1 to 2 items"}
    )
    assert read_request(None, descriptor("ListPollsRequest")) == new("ListPollsRequest")


def test_what_is_required_must_be_there() -> None:
    names = ("text", "name", "userId", "flag", "number", "color", "time", "point", "maybe", "names")
    nothing = dict.fromkeys(names, "is required")
    assert refusal("RequiredRequest", {}) == nothing
    assert refusal("RequiredRequest", dict.fromkeys(names)) == nothing


def test_what_is_required_may_be_empty_where_that_says_something() -> None:
    body: dict[str, Any] = {"text": "", "flag": False, "number": 0, "maybe": "", "names": []}
    others = {"name": "a", "userId": "ann", "color": "RED", "time": "1970-01-01T00:00:00Z", "point": {"label": "a"}}
    request = read("RequiredRequest", **body, **others)
    assert (request.HasField("maybe"), request.HasField("time"), request.flag) == (True, True, False)
    assert refusal("RequiredRequest", {**body, **others, "name": "", "userId": ""}) == {
        "name": "must have 1 to 4 characters",
        "userId": ID,
    }


# Structs.


def test_a_struct_is_any_object() -> None:
    data = {"leadId": "l-1", "tags": ["a", 2, 2.5, None, True], "nested": {"deep": {}, "": []}}
    assert struct_object(everything(data=data).data) == data


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = {"a": value} if level % 2 or level == levels - 1 else [value]
    return value


@pytest.mark.parametrize("levels", [1, 2, 19, 20])
def test_a_struct_that_is_accepted_can_be_sent(levels: int) -> None:
    request = everything(data=nested(levels))
    assert type(request).FromString(request.SerializeToString()) == request
    assert struct_object(request.data) == nested(levels)


@pytest.mark.parametrize("levels", [21, 22, 500])
def test_a_struct_that_is_too_deep_is_refused(levels: int) -> None:
    assert refusal("EverythingRequest", {"userIds": ["ann"], "data": nested(levels)}) == {"data": STRUCT}


# Masks.


def update(**body: Any) -> Any:
    return read("UpdatePollRequest", **{"pollId": "p", **body})


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"question": "?"}, ["question"]),
        ({"closeTime": None}, ["close_time"]),
        ({"closeTime": "1970-01-01T00:00:00Z", "question": None}, ["close_time"]),
        ({"options": ["a", "b"], "question": "?", "closeTime": None}, ["question", "options", "close_time"]),
    ],
)
def test_the_fields_that_are_present_make_up_the_mask(body: dict[str, Any], paths: list[str]) -> None:
    request = update(**body)
    assert list(request.update_mask.paths) == paths
    assert request.poll.poll_id == "p"


def test_null_clears_a_field_that_may_be_absent() -> None:
    assert not update(closeTime=None).poll.HasField("close_time")
    assert update(closeTime="1970-01-01T00:00:00Z").poll.HasField("close_time")


@pytest.mark.parametrize("body", [{}, {"question": None}, {"kind": "open"}, {"updateMask": "question"}])
def test_a_change_changes_something(body: dict[str, Any]) -> None:
    assert refusal("UpdatePollRequest", {"pollId": "p", **body}) == {"body": "must have a field to change"}


def test_a_change_names_what_it_changes() -> None:
    assert refusal("UpdatePollRequest", {"question": "?"}) == {"pollId": "is required"}
    assert refusal("UpdatePollRequest", {"pollId": "", "question": " "}) == {
        "pollId": "must have 1 to 64 characters",
        "question": "must not be blank",
    }


def test_the_only_field_that_can_be_changed_is_required() -> None:
    assert refusal("SingleChangeRequest", {"pollId": "p"}) == {"closeTime": "is required"}
    assert list(read("SingleChangeRequest", pollId="p", closeTime=None).update_mask.paths) == ["close_time"]


def test_an_inlined_message_is_present_even_if_it_is_empty() -> None:
    assert everything().HasField("renamed")


# Texts of queries and paths.


@pytest.mark.parametrize(
    ("texts", "body"),
    [
        ({}, {}),
        ({"kind": [""], "pageSize": []}, {}),
        ({"kind": ["open"], "pageSize": ["5"]}, {"kind": "open", "pageSize": 5}),
        ({"pageSize": ["-5"]}, {"pageSize": -5}),
        ({"pageSize": ["5.0"]}, {"pageSize": "5.0"}),
        ({"pageSize": ["9" * 5_000]}, {"pageSize": "9" * 5_000}),
        ({"pageSize": ["\u0665"]}, {"pageSize": "\u0665"}),
        ({"creatorIds": ["a", "", "7"]}, {"creatorIds": ["a", "7"]}),
        ({"creatorIds": [""]}, {}),
        ({"unknown": ["a", "b"]}, {}),
    ],
)
def test_texts_become_json(texts: dict[str, list[str]], body: dict[str, Any]) -> None:
    assert body_from_texts(texts, descriptor("ListPollsRequest")) == body


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("FALSE", False), ("1", True), ("0", False), ("2", "2"), ("yes", "yes")]
)
def test_a_text_may_be_a_boolean(text: str, value: Any) -> None:
    assert body_from_texts({"flag": [text]}, descriptor("EverythingRequest")) == {"flag": value}


def test_a_text_is_given_once() -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        body_from_texts({"kind": ["open", "open"]}, descriptor("ListPollsRequest"))
    assert raised.value.fields == {"kind": "is given more than once"}


@given(st.dictionaries(st.sampled_from(["kind", "pageSize", "creatorIds"]), st.lists(st.text(), max_size=3)))
def test_no_texts_make_reading_fail(texts: dict[str, list[str]]) -> None:
    try:
        read_request(body_from_texts(texts, descriptor("ListPollsRequest")), descriptor("ListPollsRequest"))
    except InvalidArgumentError as error:
        assert error.fields


# Whatever a caller sends.


REQUESTS: Final = {
    **{method.descriptor.full_name: method.input for method in methods_of(all_services()) if not method.is_streaming},
    **{
        name: descriptor(name)
        for name in ("EverythingRequest", "RequiredRequest", "CreatePollRequest", "UpdatePollRequest")
    },
}


@pytest.mark.parametrize("name", REQUESTS)
@settings(max_examples=40)
@given(data=st.data())
def test_any_value_of_any_field_is_read_or_refused(name: str, data: st.DataObject) -> None:
    message = REQUESTS[name]
    names = [field.name for field in request_fields(message)]
    keys = st.sampled_from(names) | st.text(max_size=3) if names else st.text(max_size=3)
    body = data.draw(st.dictionaries(keys, VALUES, max_size=5) | VALUES)
    try:
        request = read_request(body, message)
    except InvalidArgumentError as error:
        assert error.reason == "INVALID_FIELDS"
        assert error.fields
        assert error.message.encode()
    else:
        assert list(problems_of(request)) == []
        assert type(request).FromString(request.SerializeToString()) == request
