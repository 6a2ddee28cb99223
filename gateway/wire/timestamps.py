"""Times as the contract writes them: RFC 3339 in UTC, with milliseconds and `Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_ENDINGS: Final = tuple(f".{milliseconds:03d}Z" for milliseconds in range(1_000))


@lru_cache(maxsize=4_096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def time_text(time: Timestamp) -> str:
    """Writes a time; what is below a millisecond is cut off.

    Most times that pass here lie in the last few seconds, so the text of a second is made once.
    """
    return _second(time.seconds) + _ENDINGS[time.nanos // 1_000_000]


def time_text_of(unix_seconds: float) -> str:
    """Writes a Unix time in seconds."""
    milliseconds = int(unix_seconds * 1_000)
    return _second(milliseconds // 1_000) + _ENDINGS[milliseconds % 1_000]


def parse_time(text: str) -> Timestamp | None:
    """Reads an RFC 3339 time, of any offset; None when it is none. What is below a microsecond is cut off."""
    if _RFC3339.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    time = Timestamp()
    time.FromDatetime(moment)
    return time
