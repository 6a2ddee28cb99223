"""The use cases of messages: send, read history, catch up."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Protocol

from parley.chat.v1 import chat_pb2

from chassis.errors import AppError, NotFoundError, PermissionDeniedError
from chassis.identity import Identity
from services.chat.committer import Committer
from services.chat.domain import MAX_PINNED, Change, Member, Message, Version, may_manage
from services.chat.errors import message_not_found, require_present
from services.chat.limits import RateLimit
from services.chat.sequencing import Draft
from services.chat.store import ChatStore
from services.chat.views import Views
from services.chat.write_queue import Outcome

MAX_PAGE_CHARACTERS: Final = 256 * 1024
"""The approximate limit of a page, in characters; below the unsent bytes at which a slow connection is closed."""
MAX_VERSIONS: Final = 200
_BARE_CHARACTERS: Final = 300
_QUOTES: Final = 3  # around an item of a list, with its comma
_MIN_LOG_ENTRIES: Final = 200
"""The fewest log entries to read at once: a small page may follow many entries of messages that have changed since."""


class Reader(Protocol):
    """A user who reads."""

    @property
    def organization_id(self) -> str:
        """The user's organization."""

    @property
    def user_id(self) -> str:
        """The user's id."""


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
        self, caller: Reader, conversation_id: str, *, before_seq: int | None, after_seq: int | None, page_size: int
    ) -> tuple[list[Message], bool]:
        """Returns a page of messages by ascending seq, and whether there are more in its direction."""
        await self._views.require_member(caller.organization_id, conversation_id, caller.user_id)
        messages = await self._store.history(
            conversation_id, before_seq=before_seq, after_seq=after_seq, limit=page_size + 1
        )
        count = fitting(map(size_of, messages[:page_size]))
        return sorted(messages[:count], key=_seq), len(messages) > count

    async def around(
        self, caller: Reader, conversation_id: str, seq: int, page_size: int
    ) -> tuple[list[Message], bool]:
        """Returns the messages on both sides of a seq, with its own, and whether there are more on either side."""
        await self._views.require_member(caller.organization_id, conversation_id, caller.user_id)
        reach = page_size + 1
        older = await self._store.history(conversation_id, before_seq=seq + 1, after_seq=None, limit=reach)
        newer = await self._store.history(conversation_id, before_seq=None, after_seq=seq, limit=reach)
        newer_count = min(len(newer), page_size - min(len(older), (page_size + 1) // 2))
        page = [*older[: page_size - newer_count], *newer[:newer_count]]
        page.sort(key=lambda message: abs(message.seq - seq))
        count = fitting(map(size_of, page))
        return sorted(page[:count], key=_seq), len(older) + len(newer) > count

    async def pinned(self, caller: Identity, conversation_id: str) -> list[Message]:
        """Returns the pinned messages by ascending seq."""
        await self._views.require_member(caller.organization_id, conversation_id, caller.user_id)
        return await self._store.pinned(conversation_id, MAX_PINNED)

    async def receipts(self, caller: Identity, conversation_id: str, message_id: str) -> list[Member]:
        """Returns the other members whom a message has reached, by user id, with `read_ms` 0 if they have not read it.

        Those who joined after the message are left out: they have confirmed nothing.
        """
        await self._views.require_member(caller.organization_id, conversation_id, caller.user_id)
        message = (await self._store.messages_by_id([message_id])).get(message_id)
        if message is None or message.conversation_id != conversation_id:
            raise message_not_found()
        members = (await self._store.members([conversation_id]))[conversation_id]
        return [
            member if member.read_seq >= message.seq else replace(member, read_ms=0)
            for member in members
            if member.user_id != message.sender_id
            and member.joined_rev < message.sent_rev
            and max(member.delivered_seq, member.read_seq) >= message.seq
        ]

    async def versions(self, caller: Identity, conversation_id: str, message_id: str) -> list[Version]:
        """Returns the texts of a message, oldest first and the present one last, to those who may see them."""
        member = await self._views.require_member(caller.organization_id, conversation_id, caller.user_id)
        message = (await self._store.messages_by_id([message_id])).get(message_id)
        if message is None or message.conversation_id != conversation_id:
            raise message_not_found()
        if message.sender_id != caller.user_id and not may_manage(member):
            raise PermissionDeniedError("NOT_THE_SENDER", "only the sender and admins may see a message's versions")
        require_present(message)
        earlier = await self._store.versions(message_id, message.rev, MAX_VERSIONS - 1)
        versions = [message.version, *earlier]
        sizes = itertools.accumulate(len(version.text) + _BARE_CHARACTERS for version in versions)
        return versions[: max(1, sum(size <= MAX_PAGE_CHARACTERS for size in sizes))][::-1]

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
        batch = max(page_size + 1, _MIN_LOG_ENTRIES)
        while True:
            entries = await self._store.entries(conversation_id, rev, batch)
            changed = await self._store.messages_by_id([e.message_id for e in entries if isinstance(e, Change)])
            for entry in entries:
                message = entry if isinstance(entry, Message) else changed.get(entry.message_id)
                rev = entry.sent_rev if isinstance(entry, Message) else entry.rev
                if message is not None and message.rev == rev:
                    if len(page) == page_size or (page and size + size_of(message) > MAX_PAGE_CHARACTERS):
                        return conversation, page, True
                    page.append(message)
                    size += size_of(message)
            if len(entries) < batch:
                return conversation, page, False


def size_of(message: Message) -> int:
    """Returns the approximate size of a message, in characters."""
    attached = sum(len(part.url) + len(part.name) for part in message.attachments)
    reacted = sum(len(user_id) + _QUOTES for reaction in message.reactions for user_id in reaction.user_ids)
    data = len(json.dumps(message.data)) if message.data else 0
    mentioned = sum(map(len, message.mentions))
    return len(message.text) + attached + reacted + data + mentioned + _BARE_CHARACTERS


def fitting(sizes: Iterable[int]) -> int:
    """Returns how many messages of these sizes fit into a page: at least one, if there is one."""
    count = total = 0
    for size in sizes:
        total += size
        if count and total > MAX_PAGE_CHARACTERS:
            break
        count += 1
    return count


def _seq(message: Message) -> int:
    return message.seq
