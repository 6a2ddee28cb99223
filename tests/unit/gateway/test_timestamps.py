"""Timestamps in the format of the contract."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.timestamps import parse_time, time_text, time_text_of

FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799


@given(st.integers(FIRST_SECOND, LAST_SECOND), st.integers(0, 999))
def test_what_is_written_is_read_back_to_the_millisecond(seconds: int, milliseconds: int) -> None:
    time = Timestamp(seconds=seconds, nanos=milliseconds * 1_000_000 + 999_999)
    text = time_text(time)
    assert text == time.ToDatetime().isoformat(timespec="milliseconds") + "Z"
    assert parse_time(text) == Timestamp(seconds=seconds, nanos=milliseconds * 1_000_000)


@given(st.floats(0, 4_000_000_000))
def test_unix_times_are_written_alike(unix_seconds: float) -> None:
    assert parse_time(time_text_of(unix_seconds)) is not None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:01z", 1),
        ("1970-01-01T01:00:00.000+01:00", 0),
        ("1969-12-31T23:30:00.000-00:30", 0),
    ],
)
def test_offsets_are_understood(text: str, seconds: int) -> None:
    assert parse_time(text) == Timestamp(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-13-01T00:00:00Z",
        "1970-01-01 00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "1970-01-01T00:00:00.Z",
        "19700101T000000Z",
        "1970-01-01T25:00:00Z",
        "\u0661970-01-01T00:00:00Z",
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_time(text) is None


@given(st.text())
def test_no_text_makes_reading_fail(text: str) -> None:
    parse_time(text)
