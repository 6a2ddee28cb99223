"""The requests of `parley.v1.json`: of each op, the form of its body and the command that it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import UNSET
from parley.auth.v1 import directory_pb2 as directory
from parley.chat.v1 import chat_pb2 as chat
from parley.chat.v1 import conversation_pb2 as conversations
from parley.chat.v1 import message_pb2 as messages
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from chassis.identity import Identity
from gateway.dialects.native import schemas as forms
from gateway.dialects.validation import Form, invalid, number_of
from gateway.sessions.commands import (
    CallUpstream,
    Command,
    RefreshSession,
    Result,
    SendMessage,
    SendSignal,
    SetIdle,
    UserCalls,
)
from gateway.upstream.clients import Upstreams
from gateway.wire import json_objects
from gateway.wire.enum_names import CONVERSATION_KINDS, MEMBER_ROLES, MESSAGE_KINDS, NOTIFICATION_TYPES, STATUSES
from gateway.wire.timestamps import parse_time

_MAX_PAGE: Final = 200
_CHOICES: Final = ("online", "away", "dnd", "invisible")


Q = TypeVar("Q")
R = TypeVar("R")


class Operation(NamedTuple):
    """One op.

    Attributes:
        form: what its body looks like.
        command: makes the command of a body and of who sent it. Raises InvalidArgumentError.
    """

    form: type[Form]
    command: Callable[[Any, Identity], Command]


def _ask(
    method: Callable[[Upstreams], grpc.aio.UnaryUnaryMultiCallable[Q, R]],
    request: Q,
    result: Callable[[R], Result],
    conversation_id: str = "",
) -> CallUpstream:
    """The command of an op that is one call of one method."""

    async def run(calls: UserCalls) -> Result:
        return result(await calls.call(method(calls.upstreams), request, conversation_id=conversation_id))

    return CallUpstream(run)


def _time(field: str, text: str) -> Timestamp:
    time = parse_time(text)
    if time is None:
        raise invalid({field: "must be a time such as 2026-01-31T12:00:00.000Z"})
    return time


# --- users


def _user_me(_: forms.Nothing, identity: Identity) -> Command:
    return _ask(
        lambda upstreams: upstreams.directory.GetUser,
        directory.GetUserRequest(user_id=identity.user_id),
        lambda response: {"user": json_objects.user_object(response.user)},
    )


def _user_search(form: forms.UserSearch, _: Identity) -> Command:
    request = directory.SearchUsersRequest(
        query=form.query, page_size=min(form.page_size, _MAX_PAGE), page_token=form.page_token
    )
    return _ask(lambda upstreams: upstreams.directory.SearchUsers, request, _users)


def _users(response: directory.SearchUsersResponse) -> Result:
    return {
        "users": [json_objects.user_object(user) for user in response.users],
        "nextPageToken": response.next_page_token,
    }


# --- conversations and members


def _conversation(response: Any) -> Result:
    return {"conversation": json_objects.conversation_object(response.conversation)}


def _conversation_direct(form: forms.OneUser, _: Identity) -> Command:
    request = conversations.GetOrCreateDirectConversationRequest(user_id=form.user_id)
    return _ask(lambda upstreams: upstreams.conversations.GetOrCreateDirectConversation, request, _conversation)


def _conversation_create(form: forms.ConversationCreate, _: Identity) -> Command:
    request = conversations.CreateConversationRequest(
        kind=number_of(CONVERSATION_KINDS, "kind", form.kind),  # type: ignore[arg-type]  # a number of that enum
        name=form.name,
        description=form.description,
        member_ids=form.member_ids,
        external_ref=form.external_ref,
    )
    return _ask(lambda upstreams: upstreams.conversations.CreateConversation, request, _conversation)


def _conversation_get(form: forms.OneConversation, _: Identity) -> Command:
    request = conversations.GetConversationRequest(conversation_id=form.conversation_id)
    return _ask(lambda upstreams: upstreams.conversations.GetConversation, request, _conversation, form.conversation_id)


def _conversation_list(form: forms.ConversationList, _: Identity) -> Command:
    request = conversations.ListConversationsRequest(
        page_size=min(form.page_size, _MAX_PAGE), page_token=form.page_token
    )
    if form.kind is not UNSET:
        request.kind = number_of(CONVERSATION_KINDS, "kind", form.kind)  # type: ignore[assignment]
    if form.archived is not UNSET:
        request.archived = form.archived
    if form.updated_after is not UNSET:
        request.updated_after.CopyFrom(_time("updatedAfter", form.updated_after))
    return _ask(lambda upstreams: upstreams.conversations.ListConversations, request, _conversations)


def _conversations(response: conversations.ListConversationsResponse) -> Result:
    return {
        "conversations": json_objects.conversation_objects(response.conversations),
        "nextPageToken": response.next_page_token,
    }


def _conversation_update(form: forms.ConversationUpdate, _: Identity) -> Command:
    conversation = chat.Conversation(conversation_id=form.conversation_id)
    present = [name for name in _UPDATABLE if getattr(form, name) is not UNSET]
    if not present:
        raise invalid({"body": "must have a field to change"})
    for name in present:
        value = getattr(form, name)
        if name == "tags":
            conversation.tags.extend(value)
        elif name != "muted_until":
            setattr(conversation, name, value)
        elif value is not None:
            conversation.muted_until_time.CopyFrom(_time("mutedUntil", value))
    request = conversations.UpdateConversationRequest(
        conversation=conversation, update_mask=FieldMask(paths=[_MASK_PATHS.get(name, name) for name in present])
    )
    return _ask(
        lambda upstreams: upstreams.conversations.UpdateConversation, request, _conversation, form.conversation_id
    )


_MASK_PATHS: Final = {"muted_until": "muted_until_time"}
_UPDATABLE: Final = ("name", "description", "archived", "tags", "muted_until")


def _member_add(form: forms.MemberAdd, _: Identity) -> Command:
    request = conversations.AddMembersRequest(conversation_id=form.conversation_id, user_ids=form.user_ids)
    return _ask(lambda upstreams: upstreams.conversations.AddMembers, request, _conversation, form.conversation_id)


def _member_remove(form: forms.MemberRemove, _: Identity) -> Command:
    request = conversations.RemoveMemberRequest(conversation_id=form.conversation_id, user_id=form.user_id)
    return _ask(lambda upstreams: upstreams.conversations.RemoveMember, request, _conversation, form.conversation_id)


def _member_update(form: forms.MemberUpdate, _: Identity) -> Command:
    request = conversations.UpdateMemberRequest(
        conversation_id=form.conversation_id,
        member=chat.Member(
            user_id=form.user_id,
            role=number_of(MEMBER_ROLES, "role", form.role),  # type: ignore[arg-type]  # a number of that enum
        ),
    )
    return _ask(lambda upstreams: upstreams.conversations.UpdateMember, request, _conversation, form.conversation_id)


# --- messages


def _message_send(form: forms.MessageSend, _: Identity) -> Command:
    draft = messages.Draft(
        conversation_id=form.conversation_id,
        client_message_id=form.client_message_id,
        text=form.text,
        kind=number_of(MESSAGE_KINDS, "kind", form.kind),  # type: ignore[arg-type]  # a number of that enum
    )
    if form.reply_to:
        draft.reply_to = form.reply_to
    if form.mentions:
        draft.mentions.extend(form.mentions)
    for attachment in form.attachments:
        draft.attachments.add(
            url=attachment.url,
            name=attachment.name,
            content_type=attachment.content_type,
            size_bytes=attachment.size_bytes,
        )
    return SendMessage(draft)


def _message_list(form: forms.MessageList, _: Identity) -> Command:
    request = messages.ListMessagesRequest(
        conversation_id=form.conversation_id, page_size=min(form.page_size, _MAX_PAGE)
    )
    if form.before_seq is not UNSET and form.after_seq is not UNSET:
        raise invalid({"afterSeq": "can't be given together with beforeSeq"})
    if form.before_seq is not UNSET:
        request.before_seq = form.before_seq
    if form.after_seq is not UNSET:
        request.after_seq = form.after_seq
    return _ask(lambda upstreams: upstreams.messages.ListMessages, request, _messages, form.conversation_id)


def _messages(response: messages.ListMessagesResponse) -> Result:
    return {"messages": json_objects.message_objects(response.messages), "hasMore": response.has_more}


def _message_sync(form: forms.MessageSync, _: Identity) -> Command:
    request = messages.SyncMessagesRequest(
        conversation_id=form.conversation_id, after_rev=form.after_rev, page_size=min(form.page_size, _MAX_PAGE)
    )
    return _ask(lambda upstreams: upstreams.messages.SyncMessages, request, _synced, form.conversation_id)


def _synced(response: messages.SyncMessagesResponse) -> Result:
    return {
        "messages": json_objects.message_objects(response.messages),
        "conversation": json_objects.conversation_object(response.conversation),
        "hasMore": response.has_more,
    }


def _message_edit(form: forms.MessageEdit, _: Identity) -> Command:
    request = messages.EditMessageRequest(
        conversation_id=form.conversation_id, message_id=form.message_id, text=form.text
    )
    return _ask(lambda upstreams: upstreams.messages.EditMessage, request, _message, form.conversation_id)


def _message_delete(form: forms.MessageDelete, _: Identity) -> Command:
    request = messages.DeleteMessageRequest(conversation_id=form.conversation_id, message_id=form.message_id)
    return _ask(lambda upstreams: upstreams.messages.DeleteMessage, request, _message, form.conversation_id)


def _message(response: Any) -> Result:
    return {"message": json_objects.message_object(response.message)}


# --- receipts, typing, presence


def _receipt_read(form: forms.UpToSeq, _: Identity) -> Command:
    return SendSignal(messages.MarkReadRequest(conversation_id=form.conversation_id, seq=form.seq))


def _receipt_delivered(form: forms.UpToSeq, _: Identity) -> Command:
    return SendSignal(messages.MarkDeliveredRequest(conversation_id=form.conversation_id, seq=form.seq))


def _typing_set(form: forms.TypingSet, _: Identity) -> Command:
    return SendSignal(messages.SetTypingRequest(conversation_id=form.conversation_id, active=form.active))


def _presence_set(form: forms.PresenceSet, _: Identity) -> Command:
    if form.idle is not UNSET:
        if form.status is not UNSET or form.text is not UNSET:
            raise invalid({"idle": "can't be given together with status or text"})
        return SetIdle(form.idle)
    if form.status is UNSET:
        raise invalid({"status": "is missing"})
    if form.status not in _CHOICES:
        raise invalid({"status": f"must be one of {', '.join(_CHOICES)}"})
    request = presence.SetStatusRequest(status=number_of(STATUSES, "status", form.status))  # type: ignore[arg-type]
    if form.text is not UNSET:
        request.text = form.text
    return _ask(lambda upstreams: upstreams.presence.SetStatus, request, _nothing)


def _nothing(_: object) -> Result:
    return {}


def _presence_get(form: forms.PresenceGet, _: Identity) -> Command:
    request = presence.BatchGetPresenceRequest(user_ids=form.user_ids)
    return _ask(lambda upstreams: upstreams.presence.BatchGetPresence, request, _presences)


def _presences(response: presence.BatchGetPresenceResponse) -> Result:
    return {"presences": [json_objects.presence_object(one) for one in response.presences]}


# --- notifications


def _notification_list(form: forms.NotificationList, _: Identity) -> Command:
    request = notify.ListNotificationsRequest(
        unread_only=form.unread_only, page_size=min(form.page_size, _MAX_PAGE), page_token=form.page_token
    )
    if form.type is not UNSET:
        request.type = number_of(NOTIFICATION_TYPES, "type", form.type)  # type: ignore[assignment]
    return _ask(lambda upstreams: upstreams.notifications.ListNotifications, request, _notifications)


def _notifications(response: notify.ListNotificationsResponse) -> Result:
    return {
        "notifications": [json_objects.notification_object(notification) for notification in response.notifications],
        "nextPageToken": response.next_page_token,
        "unreadCount": response.unread_count,
    }


def _notification_read(form: forms.OneNotification, _: Identity) -> Command:
    request = notify.MarkNotificationReadRequest(notification_id=form.notification_id)
    return _ask(lambda upstreams: upstreams.notifications.MarkNotificationRead, request, _unread_count)


def _notification_delete(form: forms.OneNotification, _: Identity) -> Command:
    request = notify.DeleteNotificationRequest(notification_id=form.notification_id)
    return _ask(lambda upstreams: upstreams.notifications.DeleteNotification, request, _unread_count)


def _notification_read_all(_: forms.Nothing, __: Identity) -> Command:
    request = notify.MarkAllNotificationsReadRequest()
    return _ask(lambda upstreams: upstreams.notifications.MarkAllNotificationsRead, request, _unread_count)


def _notification_unread_count(_: forms.Nothing, __: Identity) -> Command:
    return _ask(lambda upstreams: upstreams.notifications.GetUnreadCount, notify.GetUnreadCountRequest(), _unread_count)


def _unread_count(response: Any) -> Result:
    return {"unreadCount": response.unread_count}


def _preferences_get(_: forms.Nothing, __: Identity) -> Command:
    return _ask(lambda upstreams: upstreams.notifications.GetPreferences, notify.GetPreferencesRequest(), _preferences)


def _preferences_set(form: forms.PreferencesSet, _: Identity) -> Command:
    muted = [number_of(NOTIFICATION_TYPES, "mutedTypes", name) for name in form.muted_types]
    request = notify.UpdatePreferencesRequest(preferences=notify.Preferences(muted_types=muted))  # type: ignore[arg-type]
    return _ask(lambda upstreams: upstreams.notifications.UpdatePreferences, request, _preferences)


def _preferences(response: Any) -> Result:
    return {"preferences": json_objects.preferences_object(response.preferences)}


def _session_refresh(form: forms.SessionRefresh, _: Identity) -> Command:
    return RefreshSession(form.access_token)


OPERATIONS: Final[dict[str, Operation]] = {
    "user.me": Operation(forms.Nothing, _user_me),
    "user.search": Operation(forms.UserSearch, _user_search),
    "conversation.direct": Operation(forms.OneUser, _conversation_direct),
    "conversation.create": Operation(forms.ConversationCreate, _conversation_create),
    "conversation.get": Operation(forms.OneConversation, _conversation_get),
    "conversation.list": Operation(forms.ConversationList, _conversation_list),
    "conversation.update": Operation(forms.ConversationUpdate, _conversation_update),
    "member.add": Operation(forms.MemberAdd, _member_add),
    "member.remove": Operation(forms.MemberRemove, _member_remove),
    "member.update": Operation(forms.MemberUpdate, _member_update),
    "message.send": Operation(forms.MessageSend, _message_send),
    "message.list": Operation(forms.MessageList, _message_list),
    "message.sync": Operation(forms.MessageSync, _message_sync),
    "message.edit": Operation(forms.MessageEdit, _message_edit),
    "message.delete": Operation(forms.MessageDelete, _message_delete),
    "receipt.read": Operation(forms.UpToSeq, _receipt_read),
    "receipt.delivered": Operation(forms.UpToSeq, _receipt_delivered),
    "typing.set": Operation(forms.TypingSet, _typing_set),
    "presence.set": Operation(forms.PresenceSet, _presence_set),
    "presence.get": Operation(forms.PresenceGet, _presence_get),
    "notification.list": Operation(forms.NotificationList, _notification_list),
    "notification.read": Operation(forms.OneNotification, _notification_read),
    "notification.delete": Operation(forms.OneNotification, _notification_delete),
    "notification.readAll": Operation(forms.Nothing, _notification_read_all),
    "notification.unreadCount": Operation(forms.Nothing, _notification_unread_count),
    "notification.preferences.get": Operation(forms.Nothing, _preferences_get),
    "notification.preferences.set": Operation(forms.PreferencesSet, _preferences_set),
    "session.refresh": Operation(forms.SessionRefresh, _session_refresh),
}
"""All ops, by their names on the wire."""
