"""Requests that take calls of their own, made with the user's token: all but messages, receipts and typing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import grpc

from chassis.errors import AppError, InternalError
from chassis.logs import logger
from gateway.upstreams import Upstreams

_log = logger("calls")

Q = TypeVar("Q")
R = TypeVar("R")
T = TypeVar("T")


class CallsForUser:
    """Calls upstreams with one user's token."""

    __slots__ = ("_token", "upstreams")

    def __init__(self, upstreams: Upstreams, token: str) -> None:
        self.upstreams = upstreams
        self._token = token

    async def call(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, R], request: Q, *, conversation_id: str = "") -> R:
        """Makes one call. Raises AppError."""
        return await self.upstreams.call(method, request, token=self._token, conversation_id=conversation_id)


class Errands:
    """Work that takes awaiting, done beside the connections; each ends with an answer, whatever happens."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._under_way: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._under_way)

    def start(self, operation: str, work: Awaitable[T], answer: Callable[[T | AppError], None]) -> None:
        """Does `work`, then calls `answer` with its result or with what went wrong."""
        task = self._group.create_task(_do(operation, work, answer))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def cancel(self) -> None:
        """Gives up what is still under way."""
        for task in self._under_way:
            task.cancel()


async def _do(operation: str, work: Awaitable[T], answer: Callable[[T | AppError], None]) -> None:
    try:
        outcome: T | AppError = await work
    except AppError as error:
        outcome = error
    except Exception as error:  # the last place where a fault of ours can be told from a fault of the client's
        incident = secrets.token_hex(8)
        _log.error("request_failed", op=operation, incident=incident, exc_info=error)
        outcome = InternalError("INTERNAL", f"an unexpected error; incident {incident}")
    answer(outcome)


@asynccontextmanager
async def running_errands() -> AsyncIterator[Errands]:
    """Runs errands while the context is open; those that are still under way on leaving are cancelled."""
    async with asyncio.TaskGroup() as group:
        errands = Errands(group)
        try:
            yield errands
        finally:
            errands.cancel()
