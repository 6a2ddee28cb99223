"""The use cases of messages: send, edit, delete, read history, catch up."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Final

from parley.chat.v1 import chat_pb2

from chassis.errors import AppError, FailedPreconditionError, NotFoundError, PermissionDeniedError
from chassis.identity import Identity
from services.chat.change_writer import Decide
from services.chat.committer import Committer
from services.chat.conversation_cache import ConversationState
from services.chat.domain import Change, ChangeKind, ChangeSet, Message, may_delete
from services.chat.errors import message_not_found, not_a_member
from services.chat.ids import RequestKey, change_id_of
from services.chat.limits import RateLimit
from services.chat.sequencing import Draft
from services.chat.store import ChatStore
from services.chat.views import Views
from services.chat.write_queue import Outcome

MAX_PAGE_CHARACTERS: Final = 256 * 1024
"""The approximate limit of a page, in characters; below the unsent bytes at which a slow connection is closed."""
_BARE_CHARACTERS: Final = 300


class Messages:
    """The use cases of messages.

    Args:
        committer, store, views: the collaborators.
        limit: limits how fast a user may send.
        now_ms: returns the time, in Unix ms.
    """

    def __init__(
        self, *, committer: Committer, store: ChatStore, views: Views, limit: RateLimit, now_ms: Callable[[], int]
    ) -> None:
        self._committer = committer
        self._store = store
        self._views = views
        self._limit = limit
        self._now_ms = now_ms

    def send(self, draft: Draft, complete: Callable[[Outcome], None]) -> None:
        """Sends a message. Calls `complete` once: with the message when it is durable, or with an error.

        A repeat (same sender, conversation and client_message_id) completes with the first message, even if it differs.
        """
        try:
            self._limit.admit(draft.organization_id, draft.sender_id)
        except AppError as error:
            complete(error)
            return
        self._committer.send(draft, complete)

    async def edit(
        self, caller: Identity, conversation_id: str, message_id: str, text: str, *, request_id: str = ""
    ) -> Message:
        """Replaces the text of the caller's own message, and returns the message."""

        async def decide(state: ConversationState) -> ChangeSet:
            message = await self._message(state, caller, message_id)
            if message.sender_id != caller.user_id:
                raise PermissionDeniedError("NOT_THE_SENDER", "only the sender may edit a message")
            if message.delete_ms:
                raise FailedPreconditionError("MESSAGE_DELETED", "the message was deleted")
            change = state.next_change(ChangeKind.EDITED, caller.user_id, self._now_ms(), message_id=message_id)
            message.text, message.rev, message.edit_ms = text, change.rev, change.time_ms
            return ChangeSet(change, message=message)

        key = RequestKey(caller.organization_id, caller.user_id, conversation_id, "EditMessage", request_id, message_id)
        return await self._write(key, decide)

    async def delete(self, caller: Identity, conversation_id: str, message_id: str, *, request_id: str = "") -> Message:
        """Deletes a message and returns the tombstone; returns a deleted message unchanged."""

        async def decide(state: ConversationState) -> ChangeSet:
            message = await self._message(state, caller, message_id)
            if not may_delete(message, state.members[caller.user_id], caller.role):
                raise PermissionDeniedError("NOT_THE_SENDER", "only the sender and admins may delete a message")
            if message.delete_ms:
                return state.unchanged(caller.user_id, self._now_ms(), message_id=message_id)
            change = state.next_change(ChangeKind.DELETED, caller.user_id, self._now_ms(), message_id=message_id)
            return ChangeSet(change, message=message.tombstone(change.rev, change.time_ms))

        key = RequestKey(
            caller.organization_id, caller.user_id, conversation_id, "DeleteMessage", request_id, message_id
        )
        return await self._write(key, decide)

    async def get(self, caller: Identity, message_id: str) -> Message:
        """Returns a message of any conversation that the caller is a member of."""
        message = (await self._store.messages_by_id([message_id])).get(message_id)
        if message is None:
            raise message_not_found()
        try:
            await self._views.require_member(caller.organization_id, message.conversation_id, caller.user_id)
        except NotFoundError:
            raise message_not_found() from None
        return message

    async def history(
        self, caller: Identity, conversation_id: str, *, before_seq: int | None, after_seq: int | None, page_size: int
    ) -> tuple[list[Message], bool]:
        """Returns a page of messages by ascending seq, and whether there are more in its direction."""
        await self._views.require_member(caller.organization_id, conversation_id, caller.user_id)
        messages = await self._store.history(
            conversation_id, before_seq=before_seq, after_seq=after_seq, limit=page_size + 1
        )
        count = _fitting(messages[:page_size])
        return sorted(messages[:count], key=_seq), len(messages) > count

    async def changed_after(
        self, caller: Identity, conversation_id: str, after_rev: int, page_size: int
    ) -> tuple[chat_pb2.Conversation, list[Message], bool]:
        """Returns the conversation, a page of messages by the rev of their latest change, and whether there are more.

        The conversation is read first, then its log beyond `after_rev`, so the page covers everything up to its rev.
        Each message is returned once, at its latest change: an entry whose message has changed since is skipped. So a
        page may consume more entries than it has messages, and it is never empty while there are more.
        """
        conversation = await self._views.get(caller.organization_id, conversation_id, caller.user_id)
        page: list[Message] = []
        size = 0
        rev = after_rev
        while True:
            entries = await self._store.entries(conversation_id, rev, page_size + 1)
            changed = await self._store.messages_by_id([e.message_id for e in entries if isinstance(e, Change)])
            for entry in entries:
                message = entry if isinstance(entry, Message) else changed.get(entry.message_id)
                rev = entry.sent_rev if isinstance(entry, Message) else entry.rev
                if message is not None and message.rev == rev:
                    if len(page) == page_size or (page and size + _size(message) > MAX_PAGE_CHARACTERS):
                        return conversation, page, True
                    page.append(message)
                    size += _size(message)
            if len(entries) <= page_size:
                return conversation, page, False

    async def _message(self, state: ConversationState, caller: Identity, message_id: str) -> Message:
        if caller.user_id not in state.members:
            raise not_a_member()
        message = (await self._store.messages_by_id([message_id])).get(message_id)
        if message is None or message.conversation_id != state.conversation.conversation_id:
            raise message_not_found()
        return message

    async def _write(self, key: RequestKey, decide: Decide) -> Message:
        changes = await self._committer.change(key.conversation_id, key.organization_id, decide, change_id_of(key))
        if changes.message is not None:
            return changes.message
        message_id = changes.change.message_id
        return (await self._store.messages_by_id([message_id]))[message_id]


def _size(message: Message) -> int:
    """Returns the approximate size of a message, in characters."""
    attached = sum(len(part.url) + len(part.name) for part in message.attachments)
    return len(message.text) + attached + sum(map(len, message.mentions)) + _BARE_CHARACTERS


def _fitting(messages: Sequence[Message]) -> int:
    """Returns how many of these messages fit into a page: at least one, if there is one."""
    sizes = itertools.accumulate(map(_size, messages))
    return max(min(1, len(messages)), sum(size <= MAX_PAGE_CHARACTERS for size in sizes))


def _seq(message: Message) -> int:
    return message.seq
