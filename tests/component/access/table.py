"""The access rules in one table: for each method, its callers and the responses about each kind of resource.

A caller that a method does not admit gets the same error for every resource.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from parley.auth.v1 import auth_pb2, directory_pb2, user_pb2
from parley.auth.v1.user_pb2 import ROLE_EMPLOYEE
from parley.chat.v1 import chat_pb2, conversation_pb2, draft_pb2, event_pb2, message_pb2, schedule_pb2
from parley.notify.v1 import notification_pb2
from parley.presence.v1 import presence_pb2
from parley.stream.v1.stream_pb2 import Attachments, UserKey

from tests.component.access.world import CALLERS, ROLES, SERVICE, Resource

OK: Final = "OK"
NOT_A_MEMBER, NOT_AN_ADMIN = "PERMISSION_DENIED NOT_A_MEMBER", "PERMISSION_DENIED NOT_AN_ADMIN"
NOT_ALLOWED, NOT_MINE = "PERMISSION_DENIED NOT_ALLOWED", "PERMISSION_DENIED ORGANIZATION_NOT_ALLOWED"
NO_CONVERSATION, NO_MESSAGE = "NOT_FOUND CONVERSATION_NOT_FOUND", "NOT_FOUND MESSAGE_NOT_FOUND"
NO_USER, NO_NOTIFICATION = "NOT_FOUND USER_NOT_FOUND", "NOT_FOUND NOTIFICATION_NOT_FOUND"
NO_ORGANIZATION = "NOT_FOUND ORGANIZATION_NOT_FOUND"

ALL_CALLERS = frozenset(CALLERS)
USERS = frozenset(ROLES)
ADMINS = frozenset({"admin", SERVICE})
SERVICES = frozenset({SERVICE})


@dataclass(frozen=True)
class Case:
    """The row of one method.

    Attributes:
        callers: the callers that the method admits.
        request: returns a request about a resource.
        kind: the kind of the resource; see World.
        answers: the responses by the resource's relation to the caller.
        exceptions: the responses of some callers, by relation.
        uses_up: whether a call changes the resource, so that each call needs its own.
        ends_session: whether a call ends the caller's session, so that the caller must sign in again.
    """

    callers: frozenset[str]
    request: Callable[[Resource], Message]
    kind: str = "nothing"
    answers: Mapping[str, str] = field(default_factory=lambda: {"own": OK})
    exceptions: Mapping[tuple[str, str], str] = field(default_factory=dict)
    uses_up: bool = False
    ends_session: bool = False


IN_CONVERSATION = {
    "owned": OK,
    "joined": OK,
    "others'": NOT_A_MEMBER,
    "foreign": NO_CONVERSATION,
    "absent": NO_CONVERSATION,
}
MANAGING = IN_CONVERSATION | {"joined": NOT_AN_ADMIN}
OF_MESSAGE = {
    "own": OK,
    "another's": "PERMISSION_DENIED NOT_THE_SENDER",
    "others'": NOT_A_MEMBER,
    "foreign": NO_CONVERSATION,
    "absent": NO_MESSAGE,
}
OF_USER = {"self": OK, "colleague": OK, "foreign": NO_USER, "absent": NO_USER}
OF_NOTIFICATION = {"own": OK, "another's": NO_NOTIFICATION, "foreign": NO_NOTIFICATION, "absent": NO_NOTIFICATION}
NO_SCHEDULED = "NOT_FOUND SCHEDULED_MESSAGE_NOT_FOUND"
OF_SCHEDULED = {"own": OK, "another's": NO_SCHEDULED, "foreign": NO_SCHEDULED, "absent": NO_SCHEDULED}
OF_ORGANIZATION = {"own": OK, "foreign": NO_ORGANIZATION, "absent": NO_ORGANIZATION}
LIMITED = {"own": OK, "foreign": NOT_MINE, "absent": NOT_MINE}
STRICTER_WITH_SERVICES = {(SERVICE, "foreign"): NOT_MINE, (SERVICE, "absent"): NOT_MINE}
ACTING = IN_CONVERSATION | {"foreign": NOT_MINE}
GROUP_CREATORS = {"admin", "manager", "lead", "agent_l1", "agent_l2", "agent_l3"}
ONLY_ADMINS = {
    (role, relation): NOT_ALLOWED
    for role in ROLES
    if role != "admin"
    for relation in ("colleague", "foreign", "absent")
}

c, m, d, n, p = conversation_pb2, message_pb2, directory_pb2, notification_pb2, presence_pb2
dr, s = draft_pb2, schedule_pb2


def _conversation(request: Callable[[Resource], Message], answers: Mapping[str, str] = IN_CONVERSATION) -> Case:
    return Case(USERS, request, "conversation", answers, uses_up=answers is not IN_CONVERSATION)


def _update_conversation(resource: Resource) -> Message:
    changed = chat_pb2.Conversation(conversation_id=resource.conversation_id, name="Another")
    return c.UpdateConversationRequest(conversation=changed, update_mask=FieldMask(paths=["name"]))


def _schedule(resource: Resource) -> Message:
    key, time = secrets.token_hex(8), Timestamp()
    time.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    return s.ScheduleMessageRequest(
        conversation_id=resource.conversation_id, client_message_id=key, text="later", send_time=time
    )


def _actor(resource: Resource) -> message_pb2.Actor:
    return m.Actor(organization_id=resource.organization_id, user_id=resource.actor_id)


def _draft(resource: Resource) -> message_pb2.Draft:
    key = secrets.token_hex(8)
    return m.Draft(conversation_id=resource.conversation_id, client_message_id=key, text="hello")


def _send_messages(resource: Resource) -> Message:
    return m.SendMessagesRequest(items=[m.SendMessagesRequest.Item(actor=_actor(resource), draft=_draft(resource))])


def _send_signals(resource: Resource) -> Message:
    typing = m.SetTypingRequest(conversation_id=resource.conversation_id, active=True)
    return m.SendSignalsRequest(items=[m.SendSignalsRequest.Item(actor=_actor(resource), typing=typing)])


def _batch_list_messages(resource: Resource) -> Message:
    page = m.ListMessagesRequest(conversation_id=resource.conversation_id)
    return m.BatchListMessagesRequest(items=[m.BatchListMessagesRequest.Item(actor=_actor(resource), request=page)])


def _attachments(resource: Resource) -> Attachments:
    return Attachments(add=[UserKey(organization_id=resource.organization_id, user_id="ann")], request_sequence=1)


def _attach(resource: Resource) -> Message:
    session = p.Session(session_id="s", organization_id=resource.organization_id, user_id="ann", role=ROLE_EMPLOYEE)
    return p.AttachRequest(gateway_id=secrets.token_hex(8), upsert=[session], request_sequence=1)


def _new_organization(resource: Resource) -> Message:
    created = user_pb2.Organization(organization_id=resource.organization_id, name="Another")
    return d.CreateOrganizationRequest(organization=created)


def _update_organization(resource: Resource) -> Message:
    changed = user_pb2.Organization(organization_id=resource.organization_id, name="Another")
    return d.UpdateOrganizationRequest(organization=changed, update_mask=FieldMask(paths=["name"]))


def _update_user(resource: Resource) -> Message:
    changed = user_pb2.User(user_id=resource.user_id, name="Another")
    return d.UpdateUserRequest(user=changed, update_mask=FieldMask(paths=["name"]))


def _notification(resource: Resource) -> Message:
    item = n.CreateNotificationsRequest.Item(
        user_id=resource.user_id, type=notification_pb2.NOTIFICATION_TYPE_REMINDER, title="Call back"
    )
    return n.CreateNotificationsRequest(items=[item])


ROW = d.UserRow(user_id="imported", name="I", role="sales")
TABLE: dict[str, Case] = {
    # auth
    "AuthService/SignIn": Case(
        ALL_CALLERS,
        lambda _: auth_pb2.SignInRequest(email=f"{secrets.token_hex(8)}@no.example", password="wrong password"),
        answers={"own": "UNAUTHENTICATED INVALID_CREDENTIALS"},
    ),
    "AuthService/RefreshToken": Case(
        ALL_CALLERS,
        lambda _: auth_pb2.RefreshTokenRequest(refresh_token="created up"),
        answers={"own": "UNAUTHENTICATED INVALID_REFRESH_TOKEN"},
    ),
    "AuthService/SignOut": Case(USERS, lambda _: auth_pb2.SignOutRequest(), ends_session=True),
    "AuthService/ExchangeToken": Case(
        ALL_CALLERS,
        lambda _: auth_pb2.ExchangeTokenRequest(token="created up"),
        answers={"own": "UNAUTHENTICATED INVALID_TOKEN"},
    ),
    "AuthService/IssueServiceToken": Case(
        ALL_CALLERS,
        lambda _: auth_pb2.IssueServiceTokenRequest(service="tests", secret="wrong"),
        answers={"own": "UNAUTHENTICATED INVALID_CREDENTIALS"},
    ),
    "AuthService/ListKeys": Case(ALL_CALLERS, lambda _: auth_pb2.ListKeysRequest()),
    "AuthService/WatchRevocations": Case(SERVICES, lambda _: auth_pb2.WatchRevocationsRequest()),
    "DirectoryService/GetUser": Case(USERS | SERVICES, lambda t: d.GetUserRequest(user_id=t.user_id), "user", OF_USER),
    "DirectoryService/BatchGetUsers": Case(
        USERS | SERVICES, lambda t: d.BatchGetUsersRequest(user_ids=[t.user_id]), "user", dict.fromkeys(OF_USER, OK)
    ),
    "DirectoryService/GetMe": Case(USERS, lambda _: d.GetMeRequest()),
    "DirectoryService/SearchUsers": Case(USERS, lambda _: d.SearchUsersRequest()),
    "DirectoryService/ListUsers": Case(USERS | SERVICES, lambda _: d.ListUsersRequest()),
    "DirectoryService/CheckContacts": Case(
        USERS, lambda t: d.CheckContactsRequest(user_ids=[t.user_id]), "user", dict.fromkeys(OF_USER, OK)
    ),
    "DirectoryService/CreateUser": Case(
        ADMINS, lambda _: d.CreateUserRequest(user=user_pb2.User(name="New", role=user_pb2.ROLE_EMPLOYEE))
    ),
    "DirectoryService/UpdateUser": Case(USERS | SERVICES, _update_user, "user", OF_USER, ONLY_ADMINS),
    "DirectoryService/SetPassword": Case(
        ADMINS,
        lambda t: d.SetPasswordRequest(user_id=t.user_id, password="a long password"),
        "user",
        {"newcomer": OK, "foreign": NO_USER, "absent": NO_USER},
        uses_up=True,
    ),
    "DirectoryService/DeactivateUser": Case(
        ADMINS,
        lambda t: d.DeactivateUserRequest(user_id=t.user_id),
        "user",
        {"newcomer": OK, "foreign": NO_USER, "absent": NO_USER},
        uses_up=True,
    ),
    "DirectoryService/BatchUpsertUsers": Case(ADMINS, lambda _: d.BatchUpsertUsersRequest(users=[ROW])),
    "DirectoryService/CreateOrganization": Case(
        SERVICES, _new_organization, answers=LIMITED | {"own": "ALREADY_EXISTS ORGANIZATION_EXISTS"}
    ),
    "DirectoryService/GetOrganization": Case(
        ADMINS,
        lambda t: d.GetOrganizationRequest(organization_id=t.organization_id),
        answers=OF_ORGANIZATION,
        exceptions=STRICTER_WITH_SERVICES,
    ),
    "DirectoryService/UpdateOrganization": Case(
        ADMINS, _update_organization, answers=OF_ORGANIZATION, exceptions=STRICTER_WITH_SERVICES
    ),
    # chat
    "ConversationService/GetOrCreateDirectConversation": Case(
        USERS,
        lambda t: c.GetOrCreateDirectConversationRequest(user_id=t.user_id),
        "user",
        OF_USER | {"self": "INVALID_ARGUMENT OWN_USER"},
    ),
    "ConversationService/CreateConversation": Case(
        USERS,
        lambda t: c.CreateConversationRequest(
            kind=chat_pb2.CONVERSATION_KIND_GROUP, name="Group", member_ids=[t.user_id]
        ),
        "user",
        {"colleague": OK, "foreign": NO_USER, "absent": NO_USER},
        {
            (role, relation): "PERMISSION_DENIED GROUP_CREATION_NOT_ALLOWED"
            for role in USERS - GROUP_CREATORS
            for relation in ("colleague", "foreign", "absent")
        },
    ),
    "ConversationService/GetConversation": _conversation(
        lambda t: c.GetConversationRequest(conversation_id=t.conversation_id)
    ),
    "ConversationService/ListConversations": Case(USERS, lambda _: c.ListConversationsRequest()),
    "ConversationService/UpdateConversation": _conversation(_update_conversation, MANAGING),
    "ConversationService/PinConversation": _conversation(
        lambda t: c.PinConversationRequest(conversation_id=t.conversation_id)
    ),
    "ConversationService/UnpinConversation": _conversation(
        lambda t: c.UnpinConversationRequest(conversation_id=t.conversation_id)
    ),
    "ConversationService/AddMembers": _conversation(
        lambda t: c.AddMembersRequest(conversation_id=t.conversation_id, user_ids=[t.user_id]), MANAGING
    ),
    "ConversationService/RemoveMember": _conversation(
        lambda t: c.RemoveMemberRequest(conversation_id=t.conversation_id, user_id=t.user_id), MANAGING
    ),
    "ConversationService/UpdateMember": _conversation(
        lambda t: c.UpdateMemberRequest(
            conversation_id=t.conversation_id,
            member=chat_pb2.Member(user_id=t.user_id, role=chat_pb2.MEMBER_ROLE_MEMBER),
        ),
        MANAGING,
    ),
    "ConversationService/JoinRoom": Case(
        USERS,
        lambda _: c.JoinRoomRequest(external_ref=secrets.token_hex(8)),
        exceptions={("client", "own"): NO_CONVERSATION},
    ),
    "ConversationService/ListMembers": _conversation(lambda t: c.ListMembersRequest(conversation_id=t.conversation_id)),
    "EventService/Subscribe": Case(
        SERVICES, lambda t: event_pb2.SubscribeRequest(attachments=_attachments(t)), answers=LIMITED
    ),
    "MessageService/SendMessages": Case(SERVICES, _send_messages, "conversation", ACTING),
    "MessageService/SendMessage": _conversation(lambda t: m.SendMessageRequest(draft=_draft(t))),
    "MessageService/GetMessage": Case(
        USERS,
        lambda t: m.GetMessageRequest(message_id=t.message_id),
        "message",
        OF_MESSAGE | {"another's": OK, "foreign": NO_MESSAGE},
    ),
    "MessageService/ListMessages": _conversation(lambda t: m.ListMessagesRequest(conversation_id=t.conversation_id)),
    "MessageService/SyncMessages": _conversation(lambda t: m.SyncMessagesRequest(conversation_id=t.conversation_id)),
    "MessageService/EditMessage": Case(
        USERS,
        lambda t: m.EditMessageRequest(conversation_id=t.conversation_id, message_id=t.message_id, text="another"),
        "message",
        OF_MESSAGE,
    ),
    "MessageService/DeleteMessage": Case(
        USERS,
        lambda t: m.DeleteMessageRequest(conversation_id=t.conversation_id, message_id=t.message_id),
        "message",
        OF_MESSAGE,
        {("admin", "another's"): OK, ("manager", "another's"): OK},
        uses_up=True,
    ),
    "MessageService/AddReaction": Case(
        USERS,
        lambda t: m.AddReactionRequest(conversation_id=t.conversation_id, message_id=t.message_id, emoji="👍"),
        "message",
        OF_MESSAGE | {"another's": OK},
        uses_up=True,
    ),
    "MessageService/RemoveReaction": Case(
        USERS,
        lambda t: m.RemoveReactionRequest(conversation_id=t.conversation_id, message_id=t.message_id, emoji="👍"),
        "message",
        OF_MESSAGE | {"another's": OK},
        uses_up=True,
    ),
    "MessageService/PinMessage": Case(
        USERS,
        lambda t: m.PinMessageRequest(conversation_id=t.conversation_id, message_id=t.message_id),
        "message",
        OF_MESSAGE | {"another's": OK},
        uses_up=True,
    ),
    "MessageService/UnpinMessage": Case(
        USERS,
        lambda t: m.UnpinMessageRequest(conversation_id=t.conversation_id, message_id=t.message_id),
        "message",
        OF_MESSAGE | {"another's": OK},
        uses_up=True,
    ),
    "MessageService/ListPinnedMessages": _conversation(
        lambda t: m.ListPinnedMessagesRequest(conversation_id=t.conversation_id)
    ),
    "MessageService/ListMessageVersions": Case(
        USERS,
        lambda t: m.ListMessageVersionsRequest(conversation_id=t.conversation_id, message_id=t.message_id),
        "message",
        OF_MESSAGE,
        uses_up=True,
    ),
    "MessageService/ListMessageReceipts": Case(
        USERS,
        lambda t: m.ListMessageReceiptsRequest(conversation_id=t.conversation_id, message_id=t.message_id),
        "message",
        OF_MESSAGE | {"another's": OK},
    ),
    "MessageService/ForwardMessage": Case(
        USERS,
        lambda t: m.ForwardMessageRequest(
            conversation_id=t.conversation_id,
            message_id=t.message_id,
            to_conversation_ids=[t.conversation_id],
            client_message_id=secrets.token_hex(8),
        ),
        "message",
        OF_MESSAGE | {"another's": OK},
        uses_up=True,
    ),
    "MessageService/MarkRead": _conversation(lambda t: m.MarkReadRequest(conversation_id=t.conversation_id, seq=1)),
    "MessageService/MarkDelivered": _conversation(
        lambda t: m.MarkDeliveredRequest(conversation_id=t.conversation_id, seq=1)
    ),
    "MessageService/SetTyping": _conversation(lambda t: m.SetTypingRequest(conversation_id=t.conversation_id)),
    "MessageService/BatchListMessages": Case(SERVICES, _batch_list_messages, "conversation", ACTING),
    "MessageService/SendSignals": Case(SERVICES, _send_signals, "conversation", ACTING),
    "DraftService/SetDraft": _conversation(lambda t: dr.SetDraftRequest(conversation_id=t.conversation_id, text="x")),
    "DraftService/ListDrafts": Case(USERS, lambda _: dr.ListDraftsRequest()),
    "ScheduleService/ScheduleMessage": _conversation(_schedule),
    "ScheduleService/ListScheduledMessages": Case(
        USERS,
        lambda t: s.ListScheduledMessagesRequest(conversation_id=t.conversation_id),
        "conversation",
        dict.fromkeys(IN_CONVERSATION, OK),
    ),
    "ScheduleService/RescheduleMessage": Case(
        USERS,
        lambda t: s.RescheduleMessageRequest(scheduled_message_id=t.scheduled_id, text="another"),
        "scheduled",
        OF_SCHEDULED,
    ),
    "ScheduleService/UnscheduleMessage": Case(
        USERS,
        lambda t: s.UnscheduleMessageRequest(scheduled_message_id=t.scheduled_id),
        "scheduled",
        OF_SCHEDULED,
        uses_up=True,
    ),
    # presence
    "PresenceService/Attach": Case(SERVICES, _attach, answers=LIMITED),
    "PresenceService/BatchGetPresence": Case(
        USERS, lambda t: p.BatchGetPresenceRequest(user_ids=[t.user_id]), "user", dict.fromkeys(OF_USER, OK)
    ),
    "PresenceService/WatchPresence": Case(
        USERS, lambda t: p.WatchPresenceRequest(user_ids=[t.user_id]), "user", dict.fromkeys(OF_USER, OK)
    ),
    "PresenceService/SetStatus": Case(USERS, lambda _: p.SetStatusRequest(status=p.CHOSEN_STATUS_ONLINE)),
    # notify
    "NotificationService/CreateNotifications": Case(
        ADMINS, _notification, "user", {"colleague": OK, "foreign": NO_USER, "absent": NO_USER}
    ),
    "NotificationService/ListNotifications": Case(USERS, lambda _: n.ListNotificationsRequest()),
    "NotificationService/MarkNotificationRead": Case(
        USERS,
        lambda t: n.MarkNotificationReadRequest(notification_id=t.notification_id),
        "notification",
        OF_NOTIFICATION,
    ),
    "NotificationService/MarkAllNotificationsRead": Case(USERS, lambda _: n.MarkAllNotificationsReadRequest()),
    "NotificationService/DeleteNotification": Case(
        USERS,
        lambda t: n.DeleteNotificationRequest(notification_id=t.notification_id),
        "notification",
        OF_NOTIFICATION,
        uses_up=True,
    ),
    "NotificationService/GetUnreadCount": Case(USERS, lambda _: n.GetUnreadCountRequest()),
    "NotificationService/GetPreferences": Case(USERS, lambda _: n.GetPreferencesRequest()),
    "NotificationService/UpdatePreferences": Case(
        USERS, lambda _: n.UpdatePreferencesRequest(preferences=notification_pb2.Preferences())
    ),
    "NotificationService/Subscribe": Case(
        SERVICES, lambda t: n.SubscribeRequest(attachments=_attachments(t)), answers=LIMITED
    ),
}
