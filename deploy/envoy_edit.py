"""The edge's Envoy configuration, and edits of its text.

The text is edited rather than its parsed form, so that comments and order stay, and a reader can compare the files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

CONFIG: Final = Path(__file__).parents[1] / "gateway" / "envoy" / "envoy.yaml"


class UnexpectedConfigurationError(Exception):
    """Envoy's configuration lacks a place that an edit needs."""


def replace_once(text: str, anchor: str, replacement: str) -> str:
    """Replaces the only occurrence of an anchor.

    Raises:
        UnexpectedConfigurationError: the anchor is missing or occurs more than once.
    """
    if text.count(anchor) != 1:
        raise UnexpectedConfigurationError(
            f"{anchor.strip()!r} occurs {text.count(anchor)} times in Envoy's configuration, not once"
        )
    return text.replace(anchor, replacement)
