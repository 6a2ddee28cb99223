"""Checks answers of the HTTP interface against the shapes that its document gives them."""

from __future__ import annotations

from typing import Any

import msgspec


def check_shape(answer: Any, shape: type[msgspec.Struct]) -> None:
    """Asserts that an answer has a shape exactly: nothing mistyped, nothing missing, nothing more."""
    assert msgspec.to_builtins(msgspec.convert(answer, shape)) == answer
