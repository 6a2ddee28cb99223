"""The emoji of Unicode's list (emoji-test.txt), from the package emoji."""

from __future__ import annotations

from typing import Final

from emoji import EMOJI_DATA, STATUS

_SELECTOR: Final = "\ufe0f"
_QUALIFIED: Final = {
    text.replace(_SELECTOR, ""): text
    for text, data in EMOJI_DATA.items()
    if data["status"] == STATUS["fully_qualified"]
}


def qualified(text: str) -> str:
    """Returns the fully qualified form of an emoji, so that each has one form; empty if the text is not one emoji."""
    return _QUALIFIED.get(text.replace(_SELECTOR, ""), "") if text in EMOJI_DATA else ""
