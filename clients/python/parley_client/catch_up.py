"""Catches up after a reconnect: lists the conversations that changed, then syncs those that are behind.

It does more than "Catch-up" in docs/protocol.md requires, on the safe side:

- The list starts at the start of the latest completed one, less a minute, not at the end of the last session, so a
  change also counts as missed if its event was lost while the session seemed fine.
- If all conversations fit on one page, it lists all of them. That costs one request as well, and also shows what
  `updatedAfter` does not: receipts, and removals of the user.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import TypeVar

from parley_client.calls import Calls
from parley_client.contract import ListConversationsResponse, SyncMessagesResponse
from parley_client.errors import FrameError, ParleyError
from parley_client.events import Event, SessionReady
from parley_client.options import Options
from parley_client.replica import Replica
from parley_client.transport import CloseCode

T = TypeVar("T")
_logger = logging.getLogger(__name__)
_MARGIN = timedelta(minutes=1)
# The reasons for which the user may not read a conversation.
_NO_ACCESS_REASONS = frozenset({"NOT_A_MEMBER", "CONVERSATION_NOT_FOUND"})


class Synchronizer:
    """Keeps a replica complete.

    Args:
        replica: the replica; like all responses, those to lists reach it through `calls`.
        calls: makes the requests.
        options: the clock, page sizes and delays.
        publish: takes the replayed events, in order.
    """

    def __init__(
        self, replica: Replica, calls: Calls, options: Options, publish: Callable[[list[Event]], None]
    ) -> None:
        self._replica = replica
        self._calls = calls
        self._options = options
        self._publish = publish
        self._page_size = options.page_size
        self._since: datetime | None = None
        self._clock_offset = timedelta()
        self._sync_requested = asyncio.Event()
        # One catch-up at a time: many pages at once would count as the unsent data of a slow reader.
        self._lock = asyncio.Lock()

    def session_ready(self, ready: SessionReady) -> None:
        """Handles a new session: takes the server's clock offset from it."""
        if ready.server_time is not None:
            self._clock_offset = ready.server_time - self._now()

    def session_lost(self, code: int) -> None:
        """Handles a lost session: shrinks the pages if the client read its replies too slowly."""
        if code == CloseCode.TOO_SLOW:
            self._page_size = max(1, self._page_size // 4)

    def request_sync(self) -> None:
        """Requests a sync of the conversations that are out of sync."""
        self._sync_requested.set()

    async def catch_up(self, *, full: bool = False) -> None:
        """Replays everything that was missed; retries until it is done.

        Args:
            full: list all conversations, even if those that changed are enough.
        """
        async with self._lock:
            await self._retry_until_done(partial(self._list, full=full))
            await self._sync_all()
            self._page_size = min(self._options.page_size, self._page_size * 2)

    async def watch_gaps(self) -> None:
        """Fills gaps as they appear, until cancelled."""
        while True:
            await self._sync_requested.wait()
            self._sync_requested.clear()
            # Most missing changes are on their way, as the response to a request of this client.
            await self._options.clock.sleep(self._options.gap_grace_seconds)
            async with self._lock:
                await self._sync_all()

    async def load_history(self, conversation_id: str) -> None:
        """Fetches all messages of a conversation, from the first."""
        async with self._lock:
            await self._sync(conversation_id, 0)

    async def _list(self, *, full: bool) -> None:
        started_at = self._now() + self._clock_offset
        full = full or self._since is None or len(self._replica) < self._options.page_size
        missing = {state.conversation_id for state in self._replica.conversations}
        page = ListConversationsResponse(next_page_token="")
        while True:
            page = await self._page(None if full else self._since, page.next_page_token)
            missing.difference_update(conversation.conversation_id for conversation in page.conversations)
            if not page.next_page_token:
                break
        self._publish(self._replica.mark_loaded())
        if full:
            self._replica.mark_unverified(missing)
        self._since = started_at - _MARGIN

    async def _page(self, updated_after: datetime | None, page_token: str) -> ListConversationsResponse:
        body: dict[str, object] = {"pageSize": self._page_size}
        if updated_after is not None:
            body["updatedAfter"] = updated_after
        if page_token:
            body["pageToken"] = page_token
        return await self._call("conversation.list", body, ListConversationsResponse)

    async def _sync_all(self) -> None:
        for conversation_id in list(self._replica.out_of_sync):
            await self._retry_until_done(partial(self._sync_if_needed, conversation_id))

    async def _sync_if_needed(self, conversation_id: str) -> None:
        if conversation_id not in self._replica.out_of_sync:
            return
        try:
            await self._sync(conversation_id, self._replica.conversation(conversation_id).applied_rev)
        except ParleyError as error:
            if error.reason not in _NO_ACCESS_REASONS:
                raise
            self._publish(self._replica.remove_inaccessible(conversation_id))

    async def _sync(self, conversation_id: str, after_rev: int) -> None:
        has_more = True
        while has_more:
            body = {"conversationId": conversation_id, "afterRev": after_rev, "pageSize": self._page_size}
            page = await self._call("message.sync", body, SyncMessagesResponse)
            self._publish(self._replica.merge_page(conversation_id, after_rev, page))
            if page.has_more and not page.messages:
                raise FrameError("an empty page of message.sync has more pages after it")
            has_more, after_rev = page.has_more, page.messages[-1].rev if page.messages else after_rev

    async def _retry_until_done(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeats a step until it succeeds; the end of the connection cancels it."""
        for attempt in count():
            try:
                await step()
            except ParleyError as error:
                _logger.warning("catch_up_failed", extra={"code": error.code, "reason": error.reason})
            except FrameError:
                _logger.warning("catch_up_failed", extra={"code": "INTERNAL", "reason": "UNEXPECTED_ANSWER"})
            else:
                return
            delay_seconds = self._options.reconnect_backoff.delay_seconds(attempt, self._options.random)
            await self._options.clock.sleep(delay_seconds)

    async def _call(self, op: str, body: dict[str, object], shape: type[T]) -> T:
        return await self._calls.call(op, body, shape, deadline_seconds=self._options.request_deadline_seconds)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._options.clock.time(), UTC)
