"""Requests that take calls of their own, made with the user's token: all but messages, receipts and typing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import grpc

from chassis.errors import AppError, unexpected_error
from chassis.identity import Identity
from chassis.process.logs import logger
from gateway.sessions.session import Session
from gateway.upstream.clients import Upstreams

_log = logger("calls")

Q = TypeVar("Q")
R = TypeVar("R")
T = TypeVar("T")


class UserClient:
    """Calls upstreams with a user's token.

    Args:
        upstreams: the services.
        identity: the user.
        token: the user's.
        session: that for which calls are made, if it is one.
    """

    __slots__ = ("_session", "_token", "identity", "upstreams")

    def __init__(self, upstreams: Upstreams, identity: Identity, token: str, session: Session | None = None) -> None:
        self.upstreams = upstreams
        self.identity = identity
        self._token = token
        self._session = session

    async def wait_ready(self) -> None:
        """Waits until whatever happens to the user reaches the connection, or the connection is no more."""
        if self._session is not None and not self._session.ready:
            ready = asyncio.get_running_loop().create_future()
            self._session.when_ready(partial(_fulfil, ready))
            await ready

    async def call(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, R], request: Q, *, conversation_id: str = "") -> R:
        """Makes one call. Raises AppError."""
        return await self.upstreams.call(method, request, token=self._token, conversation_id=conversation_id)


def client_for(upstreams: Upstreams, session: Session) -> UserClient:
    """Calls for the user of a session."""
    return UserClient(upstreams, session.identity, session.token, session)


def _fulfil(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class BackgroundTasks:
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
        outcome = unexpected_error(_log, "request_failed", error, op=operation)
    answer(outcome)


@asynccontextmanager
async def running_background_tasks() -> AsyncIterator[BackgroundTasks]:
    """Runs errands while the context is open; those that are still under way on leaving are cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = BackgroundTasks(group)
        try:
            yield tasks
        finally:
            tasks.cancel()
