"""Reads conversations as their members see them. Views are exact, even while summaries lag behind.

The order of the reads makes them exact. Intents come first: a conversation without an intent has a complete summary,
if that is read later. Then come the summaries, the log entries beyond them, and the members, whose marks only advance.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from parley.chat.v1 import chat_pb2

from services.chat import convert
from services.chat.domain import MAX_LISTED_MEMBERS, Change, Conversation, LogEntry, Member, Message, advance_over
from services.chat.errors import not_a_member, not_found
from services.chat.lookup_coalescer import LookupCoalescer
from services.chat.store import ChatStore


class Current(NamedTuple):
    """A conversation with its present head, and the log entries beyond its summary."""

    conversation: Conversation
    tail: Sequence[LogEntry] = ()


class Views:
    """Reads views of conversations.

    Args:
        store: where they are read from.
    """

    def __init__(self, store: ChatStore) -> None:
        self._store = store
        self._intended: LookupCoalescer[str, bool] = LookupCoalescer(self._look_for_intents)
        self._conversations: LookupCoalescer[str, Conversation] = LookupCoalescer(store.conversations)
        self._members: LookupCoalescer[str, list[Member]] = LookupCoalescer(store.members)
        self._messages: LookupCoalescer[str, Message] = LookupCoalescer(store.messages_by_id)

    async def _look_for_intents(self, conversation_ids: Collection[str]) -> dict[str, bool]:
        return dict.fromkeys(await self._store.intended(conversation_ids), True)

    async def require_member(self, organization_id: str, conversation_id: str, user_id: str) -> Member:
        """Returns the user's membership.

        Raises:
            NotFoundError: CONVERSATION_NOT_FOUND, also for a conversation of another organization.
            PermissionDeniedError: NOT_A_MEMBER.
        """
        conversation = (await self._conversations.get([conversation_id])).get(conversation_id)
        if conversation is None or conversation.organization_id != organization_id:
            raise not_found()
        member = await self._store.member(conversation_id, user_id)
        if member is None:
            raise not_a_member()
        return member

    async def get(self, organization_id: str, conversation_id: str, user_id: str) -> chat_pb2.Conversation:
        """Returns a conversation as one of its members sees it; raises as `require_member`."""
        current = await self.load([conversation_id], set(await self._intended.get([conversation_id])))
        if not current or current[0].conversation.organization_id != organization_id:
            raise not_found()
        views = await self.render(current, user_id)
        if not views:
            raise not_a_member()
        return views[0]

    async def outcome(self, change: Change, user_id: str) -> chat_pb2.Conversation:
        """Returns the conversation of a change to the user who made it.

        A former member receives the fields that never change, and the rev, seq and time of the change.
        """
        conversation_id = change.conversation_id
        current = await self.load([conversation_id], set(await self._intended.get([conversation_id])))
        if views := await self.render(current, user_id):
            return views[0]
        return convert.departed_to_proto(current[0].conversation, change)

    async def load(self, conversation_ids: Iterable[str], intended: set[str]) -> list[Current]:
        """Returns the present state of those of these conversations that exist.

        Args:
            conversation_ids: the conversations.
            intended: those that had an intent when that was last read.
        """
        conversations = await self._conversations.get(conversation_ids)
        tails = await self._store.tails({key: c.head.rev for key, c in conversations.items() if key in intended})
        return [
            Current(replace(c, head=advance_over(c.head, tail)), tail)
            for c, tail in ((c, tails.get(key, [])) for key, c in conversations.items())
        ]

    async def render(self, current: Sequence[Current], user_id: str) -> list[chat_pb2.Conversation]:
        """Returns conversations as a user sees them, in the given order; skips those that the user is not in."""
        conversations = [conversation for conversation, _ in current]
        messages = await self._messages.get(c.head.last_message_id for c in conversations if c.head.last_message_id)
        listed = [c.conversation_id for c in conversations if c.member_count <= MAX_LISTED_MEMBERS]
        members = await self._members.get(listed)
        viewers = {key: m for key, listed in members.items() for m in listed if m.user_id == user_id}
        large = [c.conversation_id for c in conversations if c.conversation_id not in members]
        viewers |= await self._store.own_members(user_id, large)
        views = []
        for each, tail in current:
            key = each.conversation_id
            # The conversation may be older than the members, which are read after it.
            conversation = replace(each, member_count=len(members[key])) if key in members else each
            if key not in viewers:
                continue
            viewer = _read_own(viewers[key], tail)
            others = [viewer if m.user_id == user_id else _read_own(m, tail) for m in members.get(key, ())]
            last = messages.get(conversation.head.last_message_id)
            views.append(convert.conversation_to_proto(conversation, conversation.head, others, last, viewer))
        return views


def _read_own(member: Member, tail: Sequence[LogEntry]) -> Member:
    """Returns the member with the marks that the summary will write: a sender has read up to their own message."""
    own = max((e.seq for e in tail if isinstance(e, Message) and e.sender_id == member.user_id), default=0)
    if own > member.read_seq:
        member.read_seq = own
        member.delivered_seq = max(member.delivered_seq, own)
    return member
