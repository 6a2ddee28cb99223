"""Requests about conversations and who is in them."""

from collections.abc import Sequence
from datetime import datetime

from parley_client.objects import Conversation
from parley_client.replies import ConversationPage, ConversationReply
from parley_client.requests.caller import Caller, present


class ConversationRequests(Caller):
    """`conversation.*` and `member.*`."""

    async def direct_conversation(self, user_id: str) -> Conversation:
        """The conversation with a user, made when there is none yet; the same one for both and every time."""
        return await self._conversation("conversation.direct", {"userId": user_id})

    async def create_group(
        self,
        name: str,
        member_ids: Sequence[str],
        *,
        description: str | None = None,
        external_ref: str | None = None,
    ) -> Conversation:
        """Makes a group with the user as its owner."""
        body = present(kind="group", name=name, memberIds=member_ids, description=description, externalRef=external_ref)
        return await self._conversation("conversation.create", body)

    async def get_conversation(self, conversation_id: str) -> Conversation:
        """One conversation as it is now."""
        return await self._conversation("conversation.get", {"conversationId": conversation_id})

    async def list_conversations(
        self,
        *,
        kind: str | None = None,
        archived: bool | None = None,
        updated_after: datetime | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> ConversationPage:
        """A page of the user's conversations, latest activity first."""
        body = present(
            kind=kind, archived=archived, updatedAfter=updated_after, pageSize=page_size, pageToken=page_token
        )
        return await self.call("conversation.list", body, ConversationPage)

    async def update_conversation(
        self,
        conversation_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        archived: bool | None = None,
        tags: Sequence[str] | None = None,
        muted_until: datetime | None = None,
    ) -> Conversation:
        """Changes what is given; `muted_until` is the user's own, and a time in the past ends it."""
        body = present(
            conversationId=conversation_id,
            name=name,
            description=description,
            archived=archived,
            tags=tags,
            mutedUntil=muted_until,
        )
        return await self._conversation("conversation.update", body)

    async def add_members(self, conversation_id: str, user_ids: Sequence[str]) -> Conversation:
        """Adds users to a group."""
        return await self._conversation("member.add", {"conversationId": conversation_id, "userIds": user_ids})

    async def remove_member(self, conversation_id: str, user_id: str) -> Conversation:
        """Removes a member, or the user, who leaves."""
        return await self._conversation("member.remove", {"conversationId": conversation_id, "userId": user_id})

    async def update_member(self, conversation_id: str, user_id: str, role: str) -> Conversation:
        """Gives a member a role: owner, admin or member."""
        body = present(conversationId=conversation_id, userId=user_id, role=role)
        return await self._conversation("member.update", body)

    async def _conversation(self, op: str, body: dict[str, object]) -> Conversation:
        return (await self.call(op, body, ConversationReply)).conversation
