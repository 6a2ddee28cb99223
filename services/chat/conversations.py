"""The use cases of conversations: create, read, list, update."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from parley.chat.v1 import chat_pb2

from chassis.errors import FailedPreconditionError, InvalidArgumentError
from chassis.identity import Identity
from services.chat import events
from services.chat.committer import Committer
from services.chat.contacts import Contacts
from services.chat.conversation_cache import ConversationState
from services.chat.domain import (
    CLIENT_ROLE,
    MAX_MEMBERS,
    MODERATING_ROLES,
    Change,
    ChangeKind,
    ChangeSet,
    Conversation,
    ConversationKind,
    Head,
    Member,
    MemberRole,
    may_manage,
)
from services.chat.errors import not_a_manager, not_a_member, not_found
from services.chat.ids import (
    RequestKey,
    change_id_of,
    direct_conversation_id,
    group_conversation_id,
    project_conversation_id,
    requested_group_id,
    room_conversation_id,
)
from services.chat.members import JOIN_ROOM
from services.chat.publisher import Publisher
from services.chat.repeated_requests import RepeatedRequests
from services.chat.store import ChatStore
from services.chat.views import Current, Views

Cursor = tuple[int, str]
"""Where a list of conversations continues: (last activity in ms, conversation id) of the last one returned."""


class Conversations:
    """The use cases of conversations.

    Args:
        committer, store, publisher, views, contacts, repeated_requests: the collaborators.
        now_ms: returns the time, in Unix ms.
        new_id: returns a unique id.
    """

    def __init__(
        self,
        *,
        committer: Committer,
        store: ChatStore,
        publisher: Publisher,
        views: Views,
        contacts: Contacts,
        repeated_requests: RepeatedRequests,
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._committer = committer
        self._store = store
        self._publisher = publisher
        self._views = views
        self._contacts = contacts
        self._repeated_requests = repeated_requests
        self._now_ms = now_ms
        self._new_id = new_id

    async def direct(self, caller: Identity, user_id: str) -> chat_pb2.Conversation:
        """Returns the direct conversation with a user, and creates it if needed. Both users get the same one."""
        if user_id == caller.user_id:
            fields = {"userId": "must be another user"}
            raise InvalidArgumentError("OWN_USER", "a direct conversation needs another user", fields=fields)
        conversation_id = direct_conversation_id(caller.organization_id, caller.user_id, user_id)
        if not await self._store.conversations([conversation_id]):
            await self._contacts.require([user_id], field="userId")
            roles = {caller.user_id: MemberRole.MEMBER, user_id: MemberRole.MEMBER}
            await self._create(caller, self._new(caller, conversation_id, ConversationKind.DIRECT), roles)
        return await self._views.get(caller.organization_id, conversation_id, caller.user_id)

    async def create(
        self,
        caller: Identity,
        kind: ConversationKind,
        *,
        name: str,
        description: str,
        external_ref: str,
        member_ids: Iterable[str],
        request_id: str = "",
    ) -> chat_pb2.Conversation:
        """Creates a group or project with the caller as its owner.

        An organization has one project for each external_ref: if there is one, returns it to its members. Any other
        caller must be entitled to create it, and then enters it; see `_entering`.
        """
        others = [user_id for user_id in dict.fromkeys(member_ids) if user_id != caller.user_id]
        conversation_id = self._id_of_new(caller, kind, external_ref, request_id)

        roles = {caller.user_id: MemberRole.OWNER} | dict.fromkeys(others, MemberRole.MEMBER)

        async def enter(state: ConversationState) -> ChangeSet:
            return _entering(state, caller, roles, self._now_ms())

        async def attempt(change_id: str) -> chat_pb2.Conversation:
            is_project = kind is ConversationKind.PROJECT
            exists = bool(await self._store.conversations([conversation_id]))
            if not exists or (is_project and not await self._store.member(conversation_id, caller.user_id)):
                # First, so that a caller who may not create the project does not learn whether it exists.
                await self._contacts.require(others, field="memberIds", new_group=True)
            if not exists:
                conversation = self._new(caller, conversation_id, kind)
                conversation.name, conversation.description = name, description
                conversation.external_ref = external_ref
                await self._create(caller, conversation, roles, change_id)
            if is_project:  # also after a creation, which another caller's may have preceded
                await self._committer.change(conversation_id, caller.organization_id, enter, change_id)
            return await self._views.get(caller.organization_id, conversation_id, caller.user_id)

        key = RequestKey(caller.organization_id, caller.user_id, conversation_id, "CreateConversation", request_id)
        return await self._repeated_requests.run(key, attempt)

    def _id_of_new(self, caller: Identity, kind: ConversationKind, external_ref: str, request_id: str) -> str:
        if kind is ConversationKind.PROJECT:
            return project_conversation_id(caller.organization_id, external_ref)
        if request_id:
            return requested_group_id(caller.organization_id, caller.user_id, request_id)
        return group_conversation_id(caller.organization_id, self._new_id())

    async def ensure_room(self, caller: Identity, external_ref: str, name: str, *, request_id: str = "") -> str:
        """Returns the id of a room. Creates the room if needed, unless the caller is a client."""
        conversation_id = room_conversation_id(caller.organization_id, external_ref)
        if not await self._store.conversations([conversation_id]):
            if caller.role == CLIENT_ROLE:
                raise not_found()
            conversation = self._new(caller, conversation_id, ConversationKind.GROUP)
            conversation.name, conversation.external_ref = name or external_ref, external_ref
            key = RequestKey(caller.organization_id, caller.user_id, conversation_id, JOIN_ROOM, request_id)
            await self._create(caller, conversation, {caller.user_id: MemberRole.OWNER}, change_id_of(key))
        return conversation_id

    def _new(self, caller: Identity, conversation_id: str, kind: ConversationKind) -> Conversation:
        now_ms = self._now_ms()
        head = Head(seq=0, rev=0, last_message_id="", last_message_ms=now_ms, changed_ms=now_ms)
        return Conversation(conversation_id, caller.organization_id, kind, caller.user_id, head, created_ms=now_ms)

    async def _create(
        self, caller: Identity, conversation: Conversation, roles: Mapping[str, MemberRole], change_id: str = ""
    ) -> None:
        """Creates a conversation unless it exists."""
        conversation.member_count = len(roles)
        members = [Member(user_id, role, joined_rev=1) for user_id, role in roles.items()]
        created = Change(
            conversation.conversation_id,
            1,
            0,
            ChangeKind.CREATED,
            caller.user_id,
            conversation.head.changed_ms,
            added=tuple(roles),
            change_id=change_id,
        )
        await self._committer.create(conversation, members, created)

    async def get(self, caller: Identity, conversation_id: str) -> chat_pb2.Conversation:
        """Returns a conversation."""
        return await self._views.get(caller.organization_id, conversation_id, caller.user_id)

    async def page(
        self,
        caller: Identity,
        *,
        kinds: Collection[int],
        archived: bool | None,
        updated_after_ms: int,
        external_ref: str,
        before: Cursor | None,
        page_size: int,
    ) -> tuple[list[chat_pb2.Conversation], Cursor | None]:
        """Returns a page of the caller's conversations, latest activity first, and the cursor of the next page.

        A conversation without an intent has an exact summary. For the others, this reads their logs too.
        """
        ids = await self._store.conversation_ids_of(caller.organization_id, caller.user_id)
        moving = await self._store.intended(ids)
        resting = await self._store.list_conversations(
            [key for key in ids if key not in moving],
            kinds=kinds,
            archived=archived,
            updated_after_ms=updated_after_ms,
            external_ref=external_ref,
            before=before,
            limit=page_size + 1,
        )
        matching = [Current(conversation) for conversation in resting]
        for current in await self._views.load(moving, moving):
            conversation = current.conversation
            if (
                (not kinds or conversation.kind in kinds)
                and archived in {None, conversation.archived}
                and conversation.head.changed_ms >= updated_after_ms
                and external_ref in {"", conversation.external_ref}
                and (before is None or _activity(current) < before)
            ):
                matching.append(current)
        matching.sort(key=_activity, reverse=True)
        page = matching[:page_size]
        views = await self._views.render(page, caller.user_id)
        return views, _activity(page[-1]) if len(matching) > page_size else None

    async def update(
        self,
        caller: Identity,
        conversation_id: str,
        settings: Mapping[str, object],
        muted_until_ms: int | None,
        *,
        request_id: str = "",
    ) -> chat_pb2.Conversation:
        """Updates settings (name, description, archived, tags), and the time until which the caller mutes it.

        A mute alone takes no rev, as no other member sees it. Its event informs the caller's devices and the other
        replicas. A repeat publishes it again, with the present state: the first attempt may have failed before that.
        """
        mute = {} if muted_until_ms is None else {caller.user_id: muted_until_ms}

        async def decide(state: ConversationState) -> ChangeSet:
            new_settings = _changed_settings(state, caller, settings)
            if not new_settings:
                return replace(state.unchanged(caller.user_id, self._now_ms()), muted_until=mute)
            change = state.next_change(ChangeKind.SETTINGS, caller.user_id, self._now_ms())
            return ChangeSet(change, settings=new_settings, muted_until=mute)

        async def attempt(change_id: str) -> chat_pb2.Conversation:
            changes = await self._committer.change(conversation_id, caller.organization_id, decide, change_id)
            view = await self._views.get(caller.organization_id, conversation_id, caller.user_id)
            if mute and changes.change.kind is ChangeKind.UNCHANGED:
                self._publisher.put(events.view_updated(caller.organization_id, view, caller.user_id))
            return view

        key = RequestKey(caller.organization_id, caller.user_id, conversation_id, "UpdateConversation", request_id)
        return await self._repeated_requests.run(key, attempt)

    async def pin(
        self, caller: Identity, conversation_id: str, *, pinned: bool, request_id: str = ""
    ) -> chat_pb2.Conversation:
        """Pins or unpins a conversation for the caller alone, which takes no rev; see `update`."""

        async def decide(state: ConversationState) -> ChangeSet:
            if caller.user_id not in state.members:
                raise not_a_member()
            return replace(state.unchanged(caller.user_id, self._now_ms()), pinned={caller.user_id: pinned})

        async def attempt(change_id: str) -> chat_pb2.Conversation:
            await self._committer.change(conversation_id, caller.organization_id, decide, change_id)
            view = await self._views.get(caller.organization_id, conversation_id, caller.user_id)
            self._publisher.put(events.view_updated(caller.organization_id, view, caller.user_id))
            return view

        method = "PinConversation" if pinned else "UnpinConversation"
        key = RequestKey(caller.organization_id, caller.user_id, conversation_id, method, request_id)
        return await self._repeated_requests.run(key, attempt)


def _entering(state: ConversationState, caller: Identity, roles: Mapping[str, MemberRole], now_ms: int) -> ChangeSet:
    """Returns the change by which a caller who may create an existing project enters it.

    A project without members passes to the caller and the members in `roles`. Administrators and managers of the
    organization become admins of a project that has members.

    Raises:
        PermissionDeniedError: NOT_A_MEMBER, to others if the project has members.
        FailedPreconditionError: TOO_MANY_MEMBERS.
    """
    if caller.user_id in state.members:
        return state.unchanged(caller.user_id, now_ms)
    if state.members:
        if caller.role not in MODERATING_ROLES:
            raise not_a_member()
        if len(state.members) >= MAX_MEMBERS:
            raise FailedPreconditionError("TOO_MANY_MEMBERS", f"a group has at most {MAX_MEMBERS} members")
        roles = {caller.user_id: MemberRole.ADMIN}
    change = state.next_change(ChangeKind.MEMBERS, caller.user_id, now_ms, added=tuple(roles))
    seq = state.head.seq  # earlier messages count as read
    return ChangeSet(
        change, add=tuple(Member(user_id, role, seq, seq, 0, change.rev) for user_id, role in roles.items())
    )


def _changed_settings(state: ConversationState, caller: Identity, settings: Mapping[str, object]) -> dict[str, object]:
    """Returns those of the settings that differ from the present ones.

    Raises:
        PermissionDeniedError: NOT_A_MEMBER, NOT_AN_ADMIN.
        FailedPreconditionError: DIRECT_CONVERSATION.
    """
    member = state.members.get(caller.user_id)
    if member is None:
        raise not_a_member()
    conversation = state.conversation
    if conversation.kind is ConversationKind.DIRECT:
        if not settings.keys() <= {"archived", "tags"}:
            raise FailedPreconditionError("DIRECT_CONVERSATION", "a direct conversation has no name")
    elif settings and not may_manage(member):
        raise not_a_manager()
    return {key: value for key, value in settings.items() if getattr(conversation, key) != value}


def _activity(current: Current) -> Cursor:
    return current.conversation.head.last_message_ms, current.conversation.conversation_id
