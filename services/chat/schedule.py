"""The use cases of scheduled messages: schedule, list, change, cancel. `scheduler` sends them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from chassis.contract.validator import invalid_fields
from chassis.errors import FailedPreconditionError, NotFoundError
from chassis.identity import Identity
from services.chat.domain import Owner, ScheduledMessage, ScheduleState
from services.chat.ids import message_id_of, request_digest
from services.chat.schedule_store import ScheduleStore
from services.chat.store import ChatStore
from services.chat.views import Views

MAX_WAITING: Final = 100
MAX_DAYS_AHEAD: Final = 366
_DAY_MS: Final = 86_400_000


class Schedule:
    """The use cases of scheduled messages.

    Args:
        scheduled, store, views: the collaborators.
        now_ms: returns the time, in Unix ms.
    """

    def __init__(self, *, scheduled: ScheduleStore, store: ChatStore, views: Views, now_ms: Callable[[], int]) -> None:
        self._scheduled = scheduled
        self._store = store
        self._views = views
        self._now_ms = now_ms

    async def add(
        self, caller: Identity, conversation_id: str, client_message_id: str, text: str, send_ms: int
    ) -> ScheduledMessage:
        """Schedules a message. A repeat returns the message as it is scheduled now, or was when it was sent."""
        owner = Owner(caller.organization_id, caller.user_id)
        message_id = message_id_of(caller.organization_id, conversation_id, caller.user_id, client_message_id)
        if (existing := await self._scheduled.get(message_id, owner)) is not None:
            return existing[0]
        await self._views.require_member(caller.organization_id, conversation_id, caller.user_id)
        self._check_time(send_ms)
        if await self._store.messages_by_id([message_id]):
            raise _already_sent()
        if len(await self._scheduled.waiting(owner, "", MAX_WAITING)) >= MAX_WAITING:
            raise FailedPreconditionError("TOO_MANY_SCHEDULED", f"at most {MAX_WAITING} messages can be scheduled")
        scheduled = ScheduledMessage(message_id, owner, caller.name, conversation_id, client_message_id, text, send_ms)
        await self._scheduled.add(scheduled)
        existing = await self._scheduled.get(message_id, owner)
        return existing[0] if existing is not None else scheduled

    async def of_caller(self, caller: Identity, conversation_id: str) -> Sequence[ScheduledMessage]:
        """Returns the caller's messages that wait, by ascending time."""
        owner = Owner(caller.organization_id, caller.user_id)
        return await self._scheduled.waiting(owner, conversation_id, MAX_WAITING)

    async def change(
        self,
        caller: Identity,
        scheduled_message_id: str,
        *,
        text: str | None,
        send_ms: int | None,
        request_id: str = "",
    ) -> ScheduledMessage:
        """Changes the text or the time of a message of the caller."""
        if text is None and send_ms is None:
            raise invalid_fields({"body": "must have a field to change"})
        scheduled, state = await self._own(caller, scheduled_message_id)
        digest = request_digest("RescheduleMessage", request_id)
        if await self._scheduled.was_performed(scheduled_message_id, digest):
            return scheduled
        if send_ms is not None:
            self._check_time(send_ms)
        if state is ScheduleState.CANCELLED:
            raise _not_found()
        changes: dict[str, object] = {}
        if text is not None:
            changes["text"] = text
        if send_ms is not None:
            changes["send_ms"] = send_ms
        changed = await self._scheduled.change(scheduled_message_id, changes, digest, self._now_ms())
        if changed is not None:
            return changed
        if await self._scheduled.was_performed(scheduled_message_id, digest):  # by a concurrent repeat
            return (await self._own(caller, scheduled_message_id))[0]
        _, state = await self._own(caller, scheduled_message_id)
        if state is ScheduleState.CANCELLED:
            raise _not_found()
        raise _unchangeable(state)

    async def cancel(self, caller: Identity, scheduled_message_id: str) -> None:
        """Cancels a message of the caller; a cancelled one stays as it is."""
        await self._own(caller, scheduled_message_id)
        if not await self._scheduled.cancel(scheduled_message_id, self._now_ms()):
            _, state = await self._own(caller, scheduled_message_id)
            if state is not ScheduleState.CANCELLED:
                raise _unchangeable(state)

    async def _own(self, caller: Identity, scheduled_message_id: str) -> tuple[ScheduledMessage, ScheduleState]:
        found = await self._scheduled.get(scheduled_message_id, Owner(caller.organization_id, caller.user_id))
        if found is None:
            raise _not_found()
        return found

    def _check_time(self, send_ms: int) -> None:
        now_ms = self._now_ms()
        if not now_ms < send_ms <= now_ms + MAX_DAYS_AHEAD * _DAY_MS:
            raise invalid_fields({"sendTime": f"must be in the future, at most {MAX_DAYS_AHEAD} days ahead"})


def _not_found() -> NotFoundError:
    return NotFoundError("SCHEDULED_MESSAGE_NOT_FOUND", "no such scheduled message")


def _already_sent() -> FailedPreconditionError:
    return FailedPreconditionError("ALREADY_SENT", "the message was sent or is being sent")


def _unchangeable(state: ScheduleState) -> FailedPreconditionError:
    if state is ScheduleState.FAILED:
        return FailedPreconditionError("SEND_FAILED", "the message could not be sent at its time")
    return _already_sent()
