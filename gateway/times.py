"""Times as the contract writes them: RFC 3339 in UTC, with milliseconds and `Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


@lru_cache(maxsize=4_096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def time_text(time: Timestamp) -> str:
    """Writes a time; what is below a millisecond is cut off.

    Most times that pass here lie in the last few seconds, so the text of a second is made once.
    """
    return f"{_second(time.seconds)}.{time.nanos // 1_000_000:03d}Z"


def time_text_of(unix_seconds: float) -> str:
    """Writes a Unix time in seconds."""
    milliseconds = int(unix_seconds * 1_000)
    return f"{_second(milliseconds // 1_000)}.{milliseconds % 1_000:03d}Z"


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
