"""Sends scheduled messages when their time has come.

Every replica looks for due messages and claims those that it sends. A message is sent once, whatever happens: it has
the id that it was scheduled with, and the log takes an id once. So a claim only saves work, and may end early.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Histogram

from chassis.errors import AppError, Category
from chassis.process.logs import logger
from services.chat.committer import Committer
from services.chat.domain import MessageKind, ScheduledMessage, ScheduleState
from services.chat.schedule_store import ScheduleStore
from services.chat.sequencing import Draft
from services.chat.store import StoreError

_INTERVAL_SECONDS: Final = 0.25
_CLAIM_MS: Final = 30_000
_RETRY_MS: Final = 500
_MAX_IN_FLIGHT: Final = 200
_FINAL: Final = frozenset({Category.NOT_FOUND, Category.PERMISSION_DENIED, Category.INVALID_ARGUMENT})
"""The categories of errors that a further attempt would meet again."""

DELAY_SECONDS = Histogram(
    "parley_chat_scheduled_delay_seconds",
    "Delay between the time of scheduled messages and their sending.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60),
)
FAILED = Counter("parley_chat_scheduled_failed_total", "Scheduled messages whose senders may not send them any more.")

_log = logger("scheduler")


class Scheduler:
    """Sends the due messages of all users.

    Args:
        scheduled, committer: the collaborators.
        now_ms: returns the time, in Unix ms.
    """

    def __init__(self, *, scheduled: ScheduleStore, committer: Committer, now_ms: Callable[[], int]) -> None:
        self._scheduled = scheduled
        self._committer = committer
        self._now_ms = now_ms
        self._in_flight = 0
        self._claiming = False
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                if not self._closed:
                    await self._start_due(tasks)
                await asyncio.sleep(_INTERVAL_SECONDS)

    async def close(self) -> None:
        """Stops claiming, and waits until the claimed messages are sent."""
        self._closed = True
        await self._idle.wait()

    async def _start_due(self, tasks: asyncio.TaskGroup) -> None:
        self._claiming = True
        self._idle.clear()
        try:
            for scheduled in await self._claim():
                self._in_flight += 1
                tasks.create_task(self._send(scheduled)).add_done_callback(self._ended)
        finally:
            self._claiming = False
            self._set_idle()

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._in_flight -= 1
        self._set_idle()

    def _set_idle(self) -> None:
        if not self._in_flight and not self._claiming:
            self._idle.set()

    async def _claim(self) -> list[ScheduledMessage]:
        now_ms = self._now_ms()
        try:
            return list(await self._scheduled.claim_due(now_ms, now_ms + _CLAIM_MS, _MAX_IN_FLIGHT - self._in_flight))
        except StoreError as error:
            _log.warning("schedule_unreadable", error=type(error).__name__)
            return []

    async def _send(self, scheduled: ScheduledMessage) -> None:
        """Sends a message; after an error that may pass, or if the store fails, the message is claimed again."""
        try:
            outcome = await self._committer.outcome(_draft(scheduled))
            if isinstance(outcome, AppError) and outcome.category not in _FINAL:
                await self._scheduled.release(scheduled.scheduled_message_id, self._now_ms() + _RETRY_MS)
                return
            state = ScheduleState.SENT
            if isinstance(outcome, AppError):
                state = ScheduleState.FAILED
                FAILED.inc()
                _log.info("scheduled_message_failed", message=scheduled.scheduled_message_id, reason=outcome.reason)
            else:
                DELAY_SECONDS.observe(max(0, self._now_ms() - scheduled.send_ms) / 1_000)
            await self._scheduled.finish(scheduled.scheduled_message_id, state, self._now_ms())
        except StoreError as error:
            _log.warning("schedule_unwritable", error=type(error).__name__)


def _draft(scheduled: ScheduledMessage) -> Draft:
    return Draft(
        organization_id=scheduled.owner.organization_id,
        conversation_id=scheduled.conversation_id,
        sender_id=scheduled.owner.user_id,
        sender_name=scheduled.sender_name,
        origin="",
        client_message_id=scheduled.client_message_id,
        message_id=scheduled.scheduled_message_id,
        kind=MessageKind.TEXT,
        text=scheduled.text,
    )
