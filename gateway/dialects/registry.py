"""Finds the dialects: every folder in this package with an `__init__.py` and a `dialect.py` is one.

Its `dialect.py` defines `NAME`, `create_dialect` and, if the HTTP interface can answer in the dialect, `VIEWS`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Awaitable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from parley.chat.v1.chat_pb2 import Conversation, Message

import gateway.dialects
from gateway.dialects.base import Dialect, DialectContext
from gateway.sessions.user_client import UserClient
from gateway.upstream.user_cache import UserCache


class NotAPackageError(Exception):
    """The folder of a dialect has no `__init__.py`, so Python would not find the dialect."""


class Views(Protocol):
    """A dialect's JSON of conversations and messages; implemented by modules."""

    def conversations(
        self, client: UserClient, user_cache: UserCache, conversations: Iterable[Conversation], /
    ) -> Awaitable[list[dict[str, Any]]]:
        """Returns the views of conversations, in their order. Raises AppError."""

    def messages(
        self, client: UserClient, user_cache: UserCache, conversation: Conversation, messages: Sequence[Message], /
    ) -> Awaitable[list[dict[str, Any]]]:
        """Returns the views of a conversation's messages, in their order. Raises AppError."""


def all_views() -> dict[str, Views]:
    """Returns the views of the dialects that have some, by name. Raises NotAPackageError."""
    return {module.NAME: module.VIEWS for module in _modules() if hasattr(module, "VIEWS")}


def all_dialects(context: DialectContext) -> dict[str, Dialect]:
    """Returns all dialects, by name. Raises NotAPackageError."""
    dialects: list[Dialect] = [
        module.create_dialect(context) for module in _modules() if hasattr(module, "create_dialect")
    ]
    return {dialect.name: dialect for dialect in dialects}


def _modules() -> list[ModuleType]:
    """Returns the modules of all dialects. Raises NotAPackageError."""
    for module in (path for folder in gateway.dialects.__path__ for path in Path(folder).glob("*/dialect.py")):
        if not module.with_name("__init__.py").is_file():
            raise NotAPackageError(f"{module.parent} has a dialect.py, but no __init__.py: add an empty one")
    names = sorted(module.name for module in pkgutil.iter_modules(gateway.dialects.__path__) if module.ispkg)
    return [import_module(f"gateway.dialects.{name}.dialect") for name in names]
