"""The use cases of drafts, which follow a user to all devices."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Final

from chassis.identity import Identity
from services.chat import events
from services.chat.domain import MessageDraft, Owner
from services.chat.draft_store import DraftStore
from services.chat.ids import request_digest
from services.chat.limits import RateLimit
from services.chat.publisher import Publisher
from services.chat.store import ChatStore
from services.chat.views import Views

MAX_LISTED: Final = 200
MAX_LISTED_CHARACTERS: Final = 256 * 1024


class Drafts:
    """The use cases of drafts.

    Args:
        drafts, store, views, publisher: the collaborators.
        limit: limits how fast a user may change messages and drafts.
        now_ms: returns the time, in Unix ms.
    """

    def __init__(
        self,
        *,
        drafts: DraftStore,
        store: ChatStore,
        views: Views,
        publisher: Publisher,
        limit: RateLimit,
        now_ms: Callable[[], int],
    ) -> None:
        self._drafts = drafts
        self._store = store
        self._views = views
        self._publisher = publisher
        self._limit = limit
        self._now_ms = now_ms

    async def put(self, caller: Identity, conversation_id: str, text: str, reply_to: str, *, request_id: str) -> None:
        """Stores the caller's draft, or removes it if the text is empty."""
        self._limit.admit(caller.organization_id, caller.user_id)
        await self._views.require_member(caller.organization_id, conversation_id, caller.user_id)
        owner = Owner(caller.organization_id, caller.user_id)
        draft = MessageDraft(conversation_id, text, reply_to if text else "", self._now_ms())
        if await self._drafts.put(owner, draft, request_digest("SetDraft", request_id)):
            self._publisher.put(events.draft_updated(owner, draft))

    async def of_caller(self, caller: Identity) -> Sequence[MessageDraft]:
        """Returns the drafts in conversations that the caller is in, latest first."""
        drafts = await self._drafts.of_user(Owner(caller.organization_id, caller.user_id), MAX_LISTED)
        joined = await self._store.own_members(caller.user_id, [draft.conversation_id for draft in drafts])
        listed = [draft for draft in drafts if draft.conversation_id in joined]
        sizes = itertools.accumulate(len(draft.text) for draft in listed)
        return listed[: sum(size <= MAX_LISTED_CHARACTERS for size in sizes)]
