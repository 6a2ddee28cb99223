"""The use cases that change a message: edit, delete, react, pin."""

from __future__ import annotations

from collections.abc import Callable

from chassis.errors import FailedPreconditionError, PermissionDeniedError
from chassis.identity import Identity
from services.chat.change_writer import Decide
from services.chat.committer import Committer
from services.chat.conversation_cache import ConversationState
from services.chat.domain import MAX_PINNED, ChangeKind, ChangeSet, Message, may_delete
from services.chat.errors import message_not_found, not_a_member, require_present
from services.chat.ids import RequestKey, change_id_of
from services.chat.limits import RateLimit
from services.chat.reactions import with_reaction, without_reaction
from services.chat.store import ChatStore


class MessageChanges:
    """The use cases that change a message.

    Args:
        committer, store: the collaborators.
        limit: limits how fast a user may send and change messages.
        now_ms: returns the time, in Unix ms.
    """

    def __init__(self, *, committer: Committer, store: ChatStore, limit: RateLimit, now_ms: Callable[[], int]) -> None:
        self._committer = committer
        self._store = store
        self._limit = limit
        self._now_ms = now_ms

    async def edit(
        self, caller: Identity, conversation_id: str, message_id: str, text: str, *, request_id: str = ""
    ) -> Message:
        """Replaces the text of the caller's own message, and returns the message."""

        async def decide(state: ConversationState) -> ChangeSet:
            message = await self._message(state, caller, message_id)
            if message.sender_id != caller.user_id:
                raise PermissionDeniedError("NOT_THE_SENDER", "only the sender may edit a message")
            require_present(message)
            change = state.next_change(ChangeKind.UPDATED, caller.user_id, self._now_ms(), message_id=message_id)
            replaced = message.version
            message.text, message.rev, message.edit_ms = text, change.rev, change.time_ms
            return ChangeSet(change, message=message, replaced=replaced)

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

    async def pin(
        self, caller: Identity, conversation_id: str, message_id: str, *, pinned: bool, request_id: str = ""
    ) -> Message:
        """Pins or unpins a message for all members, and returns it."""

        async def decide(state: ConversationState) -> ChangeSet:
            message = await self._message(state, caller, message_id)
            require_present(message)
            if message.pinned is pinned:
                return state.unchanged(caller.user_id, self._now_ms(), message_id=message_id)
            if pinned and len(await self._store.pinned(conversation_id, MAX_PINNED)) >= MAX_PINNED:
                raise FailedPreconditionError(
                    "TOO_MANY_PINNED", f"a conversation has at most {MAX_PINNED} pinned messages"
                )
            change = state.next_change(ChangeKind.UPDATED, caller.user_id, self._now_ms(), message_id=message_id)
            message.pinned, message.rev = pinned, change.rev
            return ChangeSet(change, message=message)

        method = "PinMessage" if pinned else "UnpinMessage"
        key = RequestKey(caller.organization_id, caller.user_id, conversation_id, method, request_id, message_id)
        return await self._write(key, decide)

    async def react(
        self,
        caller: Identity,
        conversation_id: str,
        message_id: str,
        emoji: str,
        *,
        active: bool,
        request_id: str = "",
    ) -> Message:
        """Adds or removes a reaction of the caller, and returns the message."""

        async def decide(state: ConversationState) -> ChangeSet:
            message = await self._message(state, caller, message_id)
            require_present(message)
            change_reactions = with_reaction if active else without_reaction
            reactions = change_reactions(message.reactions, emoji, caller.user_id)
            if reactions == message.reactions:
                return state.unchanged(caller.user_id, self._now_ms(), message_id=message_id)
            change = state.next_change(ChangeKind.UPDATED, caller.user_id, self._now_ms(), message_id=message_id)
            message.reactions, message.rev = reactions, change.rev
            return ChangeSet(change, message=message)

        method = "AddReaction" if active else "RemoveReaction"
        target = f"{message_id}/{emoji}"
        key = RequestKey(caller.organization_id, caller.user_id, conversation_id, method, request_id, target)
        return await self._write(key, decide)

    async def _message(self, state: ConversationState, caller: Identity, message_id: str) -> Message:
        if caller.user_id not in state.members:
            raise not_a_member()
        message = (await self._store.messages_by_id([message_id])).get(message_id)
        if message is None or message.conversation_id != state.conversation.conversation_id:
            raise message_not_found()
        return message

    async def _write(self, key: RequestKey, decide: Decide) -> Message:
        """Writes a change, and returns the message.

        A repeated request gets the message as it is now, unless it is another's and the caller has left.
        """
        self._limit.admit(key.organization_id, key.user_id)
        changes = await self._committer.change(key.conversation_id, key.organization_id, decide, change_id_of(key))
        if changes.message is not None:
            return changes.message
        message_id = changes.change.message_id
        message = (await self._store.messages_by_id([message_id]))[message_id]
        if message.sender_id != key.user_id and await self._store.member(key.conversation_id, key.user_id) is None:
            raise not_a_member()
        return message
