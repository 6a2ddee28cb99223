"""Answers repeated requests, also of a caller that may no longer read the conversation.

That a request changes nothing twice is up to `change_writer`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from parley.chat.v1 import chat_pb2

from chassis.errors import AppError
from services.chat.ids import RequestKey, change_id_of
from services.chat.store import ChatStore
from services.chat.views import Views


class RepeatedRequests:
    """Runs requests that return a conversation.

    This deals with what a request does besides its change: the checks before and the view afterwards. They may fail for
    a repeat, since the caller or another member may have removed the caller in between.
    """

    def __init__(self, store: ChatStore, views: Views) -> None:
        self._store = store
        self._views = views

    async def run(
        self,
        key: RequestKey,
        attempt: Callable[[str], Awaitable[chat_pb2.Conversation]],
    ) -> chat_pb2.Conversation:
        """Runs a request.

        Args:
            key: identifies the request.
            attempt: performs the request under its change id.

        Returns:
            What `attempt` returns. If it fails and the request was performed before, the conversation as the caller
            may see it now; for a former member, only what never changes, and the rev of the request's entry.

        Raises:
            AppError: as `attempt` raises.
        """
        change_id = change_id_of(key)
        try:
            return await attempt(change_id)
        except AppError:
            change = await self._store.outcome(key.conversation_id, change_id) if change_id else None
            if change is None:
                raise
            return await self._views.outcome(change, key.user_id)
