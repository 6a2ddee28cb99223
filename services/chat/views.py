"""Conversations as their members see them: read from the store, exact whatever the summaries lag behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parley.chat.v1 import chat_pb2

from services.chat import convert
from services.chat.domain import MAX_LISTED_MEMBERS, Conversation, Head, LogEntry, Member, Message, advance
from services.chat.refusals import not_a_member, not_found
from services.chat.store import ChatStore


class Views:
    """Reads views of conversations.

    Args:
        store: where they are read from.
    """

    def __init__(self, store: ChatStore) -> None:
        self._store = store

    async def require_member(self, organization_id: str, conversation_id: str, user_id: str) -> Member:
        """The user's place in the conversation.

        Raises:
            NotFoundError: CONVERSATION_NOT_FOUND, also for one of another organization.
            PermissionDeniedError: NOT_A_MEMBER.
        """
        conversation = (await self._store.conversations([conversation_id])).get(conversation_id)
        if conversation is None or conversation.organization_id != organization_id:
            raise not_found()
        member = await self._store.member(conversation_id, user_id)
        if member is None:
            raise not_a_member()
        return member

    async def one(self, organization_id: str, conversation_id: str, user_id: str) -> chat_pb2.Conversation:
        """A conversation as one of its members sees it; raises as `require_member`."""
        viewer = await self.require_member(organization_id, conversation_id, user_id)
        conversation = (await self._store.conversations([conversation_id]))[conversation_id]
        return (await self.several([conversation], {conversation_id: viewer}))[0]

    async def several(
        self, conversations: Sequence[Conversation], viewers: Mapping[str, Member]
    ) -> list[chat_pb2.Conversation]:
        """Conversations as members see them, in the order given.

        Args:
            conversations: which.
            viewers: for each, by its id, the member who looks.
        """
        tails = await self.tails(conversations)
        heads = {c.conversation_id: head_after(c, tails[c.conversation_id]) for c in conversations}
        messages = await self._store.messages_by_id([head.last_message_id for head in heads.values()])
        listed = [c.conversation_id for c in conversations if c.member_count <= MAX_LISTED_MEMBERS]
        members = await self._store.members(listed)
        views = []
        for conversation in conversations:
            key = conversation.conversation_id
            viewer = read_own(viewers[key], tails[key])
            others = [viewer if m.user_id == viewer.user_id else read_own(m, tails[key]) for m in members.get(key, ())]
            last = messages.get(heads[key].last_message_id)
            views.append(convert.conversation_to_proto(conversation, heads[key], others, last, viewer))
        return views

    async def tails(self, conversations: Sequence[Conversation]) -> dict[str, list[LogEntry]]:
        """For each conversation, by its id, the log beyond the summary; only those with an intent can have any."""
        tails: dict[str, list[LogEntry]] = {c.conversation_id: [] for c in conversations}
        intended = await self._store.intended(list(tails))
        after = {c.conversation_id: c.head.rev for c in conversations if c.conversation_id in intended}
        tails.update(await self._store.tails(after))
        return tails


def head_after(conversation: Conversation, tail: Sequence[LogEntry]) -> Head:
    """A conversation's head, from its summary and the log beyond it."""
    head = conversation.head
    for entry in tail:
        head = advance(head, entry)
    return head


def read_own(member: Member, tail: Sequence[LogEntry]) -> Member:
    """The member with the marks that the summary will give them: whoever sends a message has read up to it."""
    own = max((e.seq for e in tail if isinstance(e, Message) and e.sender_id == member.user_id), default=0)
    if own > member.read_seq:
        member.read_seq = own
        member.delivered_seq = max(member.delivered_seq, own)
    return member
