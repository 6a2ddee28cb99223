"""Finds the dialects: every folder in this package with a `dialect.py` is one.

Its `dialect.py` defines `create_dialect` and, if the dialect also answers over HTTP, `SHAPES`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Awaitable, Iterable, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

from parley.chat.v1.chat_pb2 import Conversation, Message

import gateway.dialects
from gateway.dialects.base import Dialect, DialectContext
from gateway.sessions.commands import UserCalls
from gateway.upstream.user_cache import UserCache


class Shapes(Protocol):
    """How a front-end writes conversations and messages; a module may be it."""

    def conversations(
        self, calls: UserCalls, people: UserCache, listed: Iterable[Conversation], /
    ) -> Awaitable[list[dict[str, Any]]]:
        """Conversations, in the order given. Raises AppError."""

    def messages(
        self, calls: UserCalls, people: UserCache, conversation: Conversation, sent: Sequence[Message], /
    ) -> Awaitable[list[dict[str, Any]]]:
        """Messages of one conversation. Raises AppError."""


def all_shapes() -> dict[str, Shapes]:
    """The shapes of the dialects that have some of their own, by name."""
    return {module.NAME: module.SHAPES for module in _modules() if hasattr(module, "SHAPES")}


def all_dialects(context: DialectContext) -> dict[str, Dialect]:
    """The dialects, by name."""
    made: list[Dialect] = [module.create_dialect(context) for module in _modules() if hasattr(module, "create_dialect")]
    return {dialect.name: dialect for dialect in made}


def _modules() -> list[ModuleType]:
    names = sorted(module.name for module in pkgutil.iter_modules(gateway.dialects.__path__) if module.ispkg)
    return [import_module(f"gateway.dialects.{name}.dialect") for name in names]
