"""The use cases of members: add, remove, leave, change roles, list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from parley.chat.v1 import chat_pb2

from chassis.errors import FailedPreconditionError, NotFoundError, PermissionDeniedError
from chassis.identity import Identity
from services.chat.change_writer import Decide
from services.chat.committer import Committer
from services.chat.contacts import Contacts
from services.chat.conversation_cache import ConversationState
from services.chat.domain import (
    CLIENT_ROLE,
    MAX_MEMBERS,
    ChangeKind,
    ChangeSet,
    ConversationKind,
    Member,
    MemberRole,
    may_manage,
    successor,
)
from services.chat.errors import not_a_manager, not_a_member
from services.chat.ids import RequestKey
from services.chat.repeated_requests import RepeatedRequests
from services.chat.store import ChatStore
from services.chat.views import Views

JOIN_ROOM: Final = "JoinRoom"


class Members:
    """The use cases of members.

    Args:
        committer, store, views, contacts, repeated_requests: the collaborators.
        now_ms: returns the time, in Unix ms.
    """

    def __init__(
        self,
        *,
        committer: Committer,
        store: ChatStore,
        views: Views,
        contacts: Contacts,
        repeated_requests: RepeatedRequests,
        now_ms: Callable[[], int],
    ) -> None:
        self._committer = committer
        self._store = store
        self._views = views
        self._contacts = contacts
        self._repeated_requests = repeated_requests
        self._now_ms = now_ms

    async def add(
        self, caller: Identity, conversation_id: str, user_ids: Sequence[str], *, request_id: str = ""
    ) -> chat_pb2.Conversation:
        """Adds users that the caller may write to; skips those who are members already."""

        async def decide(state: ConversationState) -> ChangeSet:
            _require_manager(state, caller)
            new = tuple(user_id for user_id in dict.fromkeys(user_ids) if user_id not in state.members)
            if len(state.members) + len(new) > MAX_MEMBERS:
                raise FailedPreconditionError("TOO_MANY_MEMBERS", f"a group has at most {MAX_MEMBERS} members")
            if not new:
                return state.unchanged(caller.user_id, self._now_ms())
            change = state.next_change(ChangeKind.MEMBERS, caller.user_id, self._now_ms(), added=new)
            seq = state.head.seq  # earlier messages count as read
            joining = tuple(Member(user_id, MemberRole.MEMBER, seq, seq, 0, change.rev) for user_id in new)
            return ChangeSet(change, add=joining)

        async def attempt(change_id: str) -> chat_pb2.Conversation:
            await self._views.require_member(caller.organization_id, conversation_id, caller.user_id)
            await self._contacts.require([u for u in dict.fromkeys(user_ids) if u != caller.user_id], field="userIds")
            return await self._write(caller, conversation_id, decide, change_id)

        key = RequestKey(caller.organization_id, caller.user_id, conversation_id, "AddMembers", request_id)
        return await self._repeated_requests.run(key, attempt)

    async def join_room(self, caller: Identity, conversation_id: str, *, request_id: str = "") -> chat_pb2.Conversation:
        """Adds the caller to an existing room; a client must be a member already."""

        async def decide(state: ConversationState) -> ChangeSet:
            if caller.user_id in state.members:
                return state.unchanged(caller.user_id, self._now_ms())
            if caller.role == CLIENT_ROLE:
                raise not_a_member()
            if len(state.members) >= MAX_MEMBERS:
                raise FailedPreconditionError("TOO_MANY_MEMBERS", f"a group has at most {MAX_MEMBERS} members")
            change = state.next_change(ChangeKind.MEMBERS, caller.user_id, self._now_ms(), added=(caller.user_id,))
            role = MemberRole.MEMBER if state.members else MemberRole.OWNER
            seq = state.head.seq
            return ChangeSet(change, add=(Member(caller.user_id, role, seq, seq, 0, change.rev),))

        async def attempt(change_id: str) -> chat_pb2.Conversation:
            return await self._write(caller, conversation_id, decide, change_id)

        key = RequestKey(caller.organization_id, caller.user_id, conversation_id, JOIN_ROOM, request_id)
        return await self._repeated_requests.run(key, attempt)

    async def remove(
        self, caller: Identity, conversation_id: str, user_id: str, *, request_id: str = ""
    ) -> chat_pb2.Conversation:
        """Removes a member, or lets the caller leave. If the owner leaves, the group passes to a successor."""

        async def decide(state: ConversationState) -> ChangeSet:
            leaving = _leaving(state, caller, user_id)
            roles = {}
            if leaving.role is MemberRole.OWNER:
                new_owner = successor(state.members.values(), user_id)
                roles = {new_owner: MemberRole.OWNER} if new_owner else {}
            change = state.next_change(
                ChangeKind.MEMBERS, caller.user_id, self._now_ms(), removed=(leaving,), updated=tuple(roles)
            )
            return ChangeSet(change, remove=(user_id,), roles=roles)

        async def attempt(change_id: str) -> chat_pb2.Conversation:
            before = await self._views.get(caller.organization_id, conversation_id, caller.user_id)
            written = await self._committer.change(conversation_id, caller.organization_id, decide, change_id)
            if user_id == caller.user_id:
                before.rev = written.change.rev  # by which a caller who has returned since recognizes a repeat
                return before
            return await self._views.get(caller.organization_id, conversation_id, caller.user_id)

        key = RequestKey(caller.organization_id, caller.user_id, conversation_id, "RemoveMember", request_id, user_id)
        return await self._repeated_requests.run(key, attempt)

    async def set_role(
        self, caller: Identity, conversation_id: str, user_id: str, role: MemberRole, *, request_id: str = ""
    ) -> chat_pb2.Conversation:
        """Changes a member's role. An owner who appoints another owner becomes an admin."""

        async def decide(state: ConversationState) -> ChangeSet:
            me = _require_manager(state, caller)
            member = state.members.get(user_id)
            if member is None:
                raise NotFoundError("MEMBER_NOT_FOUND", "the user is not a member of this conversation")
            if member.role is role:
                return state.unchanged(caller.user_id, self._now_ms())
            if MemberRole.OWNER in {member.role, role} and me.role is not MemberRole.OWNER:
                raise PermissionDeniedError("NOT_THE_OWNER", "only the owner may appoint another owner")
            if member.role is MemberRole.OWNER:
                raise FailedPreconditionError("OWNER_NEEDED", "make another member the owner first")
            roles = {user_id: role}
            if role is MemberRole.OWNER:
                roles[caller.user_id] = MemberRole.ADMIN
            change = state.next_change(ChangeKind.MEMBERS, caller.user_id, self._now_ms(), updated=tuple(roles))
            return ChangeSet(change, roles=roles)

        async def attempt(change_id: str) -> chat_pb2.Conversation:
            return await self._write(caller, conversation_id, decide, change_id)

        key = RequestKey(caller.organization_id, caller.user_id, conversation_id, "UpdateMember", request_id, user_id)
        return await self._repeated_requests.run(key, attempt)

    async def page(
        self, caller: Identity, conversation_id: str, after_user_id: str, page_size: int
    ) -> tuple[list[Member], str]:
        """Returns a page of members by user id, and the user id that the next page follows; empty on the last page."""
        await self._views.require_member(caller.organization_id, conversation_id, caller.user_id)
        members = await self._store.members_page(conversation_id, after_user_id, page_size + 1)
        return members[:page_size], members[page_size - 1].user_id if len(members) > page_size else ""

    async def _write(
        self, caller: Identity, conversation_id: str, decide: Decide, change_id: str
    ) -> chat_pb2.Conversation:
        await self._committer.change(conversation_id, caller.organization_id, decide, change_id)
        return await self._views.get(caller.organization_id, conversation_id, caller.user_id)


def _require_group(state: ConversationState, caller: Identity) -> Member:
    me = state.members.get(caller.user_id)
    if me is None:
        raise not_a_member()
    if state.conversation.kind is ConversationKind.DIRECT:
        raise FailedPreconditionError("DIRECT_CONVERSATION", "the members of a direct conversation cannot change")
    return me


def _leaving(state: ConversationState, caller: Identity, user_id: str) -> Member:
    """Returns the member to remove: the caller, or, for a manager, anyone except the owner."""
    me = _require_group(state, caller)
    if user_id == caller.user_id:
        return me
    if not may_manage(me):
        raise not_a_manager()
    leaving = state.members.get(user_id)
    if leaving is None:
        raise NotFoundError("MEMBER_NOT_FOUND", "the user is not a member of this conversation")
    if leaving.role is MemberRole.OWNER:
        raise PermissionDeniedError("OWNER_STAYS", "the owner cannot be removed")
    return leaving


def _require_manager(state: ConversationState, caller: Identity) -> Member:
    me = _require_group(state, caller)
    if not may_manage(me):
        raise not_a_manager()
    return me
