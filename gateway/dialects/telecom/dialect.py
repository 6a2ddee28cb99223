"""`telecom`: the WhatsApp-like chat of a CRM, over Socket.IO. `views` has its objects."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, Final

from parley.chat.v1 import event_pb2 as chat
from parley.chat.v1.chat_pb2 import Message
from parley.chat.v1.conversation_pb2 import (
    GetConversationRequest,
    GetOrCreateDirectConversationRequest,
    ListConversationsRequest,
)
from parley.chat.v1.message_pb2 import (
    DeleteMessageRequest,
    Draft,
    GetMessageRequest,
    MarkReadRequest,
    SetTypingRequest,
)
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from chassis.errors import PermissionDeniedError
from gateway.dialects.base import (
    ChatEncoders,
    Dialect,
    DialectContext,
    EncodedEvent,
    Payloads,
    SocketIoEndpoint,
    encode_chat_event,
)
from gateway.dialects.client_message_ids import own_ids
from gateway.dialects.ids import format_id, parse_id
from gateway.dialects.lookups import last_seen, load_profiles, members_of, with_names
from gateway.dialects.socketio_base import Operation, SocketIoDialect, event, reply
from gateway.dialects.telecom import schemas, views
from gateway.dialects.validation import MAX_INTEGER, invalid, number_of
from gateway.sessions.commands import CallUpstream, Command, Result, SendMessage, SendSignal
from gateway.sessions.history import page_before, page_number
from gateway.sessions.session import Session
from gateway.sessions.user_client import UserClient
from gateway.upstream.presence_cache import is_online
from gateway.wire.enum_names import MESSAGE_KINDS
from gateway.wire.timestamps import time_text

NAME: Final = "telecom"
_LISTED_CONVERSATIONS: Final = 200
_UNDELIVERED_PER_CONVERSATION: Final = 500
_UNDELIVERED_CONVERSATIONS: Final = 200


class ConnectionState:
    """The dialect's state of one connection.

    Attributes:
        has_joined: whether the client joined the organization, and so receives presence.
        undelivered: by conversation, the (seq, id) of the user's own messages without a `messageDelivered` so far.
    """

    __slots__ = ("has_joined", "undelivered")

    def __init__(self) -> None:
        self.has_joined = False
        self.undelivered: OrderedDict[str, deque[tuple[int, str]]] = OrderedDict()

    def sent(self, message: Message) -> None:
        """Records an own message; forgets the oldest ones above a limit."""
        queue = self.undelivered.setdefault(message.conversation_id, deque(maxlen=_UNDELIVERED_PER_CONVERSATION))
        queue.append((message.seq, message.message_id))
        if len(self.undelivered) > _UNDELIVERED_CONVERSATIONS:
            self.undelivered.popitem(last=False)

    def delivered(self, conversation_id: str, seq: int) -> list[str]:
        """Returns the ids of own messages up to a seq, each only once."""
        queue = self.undelivered.get(conversation_id, deque())
        ids = []
        while queue and queue[0][0] <= seq:
            ids.append(queue.popleft()[1])
        if not queue:
            self.undelivered.pop(conversation_id, None)
        return ids


class TelecomDialect(SocketIoDialect):
    """The dialect; SocketIoDialect implements what all Socket.IO dialects share."""

    name = NAME
    endpoint = SocketIoEndpoint("/telecom")

    def __init__(self, context: DialectContext) -> None:
        self._user_cache = context.user_cache
        self._presence_cache = context.presence_cache
        super().__init__(
            {
                "joinOrganization": Operation(schemas.JoinOrganization, self._join_organization),
                "getOrCreateConversation": Operation(
                    schemas.GetOrCreateConversation, self._get_or_create_conversation, {"userId": "targetUserId"}
                ),
                "sendMessage": Operation(
                    schemas.SendMessageForm, _send_message, {"text": "content", "kind": "messageType"}
                ),
                "markMessagesAsRead": Operation(schemas.MarkMessagesAsRead, _mark_as_read),
                "typing": Operation(schemas.Typing, _typing),
                "getConversations": Operation(schemas.GetConversations, self._get_conversations),
                "getMessages": Operation(schemas.GetMessages, self._get_messages),
                "deleteMessage": Operation(schemas.DeleteMessage, _delete_message),
            }
        )
        self._chat_events: ChatEncoders = {
            "message_created": self._message_created,
            "message_updated": self._message_updated,
            "message_deleted": _message_deleted,
            "conversation_created": _nothing,
            "conversation_updated": _nothing,
            "draft_updated": _nothing,
            "member_added": _nothing,
            "member_removed": _nothing,
            "member_updated": _nothing,
            "receipt_updated": _receipt_updated,
            "typing_updated": _typing_updated,
        }

    def new_state(self) -> ConnectionState:
        """Returns the state of a new connection."""
        return ConnectionState()

    def _join_organization(self, _: schemas.JoinOrganization, session: Session) -> Command:
        async def run(client: UserClient) -> Result:
            session.dialect_state.has_joined = True
            await self._presence_cache.wait_synced(client.identity.organization_id)
            statuses = [_status(online.presence) for online in self._presence_cache.online(client.identity)]
            return reply({}, *(("userStatusChanged", status) for status in statuses))

        return CallUpstream(run)

    def _get_or_create_conversation(self, form: schemas.GetOrCreateConversation, _: Session) -> Command:
        request = GetOrCreateDirectConversationRequest(user_id=parse_id(form.target_user_id))

        async def run(client: UserClient) -> Result:
            response = await client.call(client.upstreams.conversations.GetOrCreateDirectConversation, request)
            conversation = response.conversation
            page = await page_before(client, conversation.conversation_id, None, schemas.LOADED_MESSAGES)
            profiles = await load_profiles(client, self._user_cache, members_of([conversation]))
            loaded = {
                "conversationId": format_id(conversation.conversation_id),
                "participants": views.participants(conversation, profiles),
                "messages": await views.messages(client, self._user_cache, conversation, page.messages),
                "unreadCount": conversation.unread_count,
            }
            return reply(loaded, ("conversationLoaded", loaded))

        return CallUpstream(run)

    def _get_conversations(self, _: schemas.GetConversations, __: Session) -> Command:
        async def run(client: UserClient) -> Result:
            request = ListConversationsRequest(page_size=_LISTED_CONVERSATIONS)
            response = await client.call(client.upstreams.conversations.ListConversations, request)
            listed = {"conversations": await views.conversations(client, self._user_cache, response.conversations)}
            return reply(listed, ("conversationsList", listed))

        return CallUpstream(run)

    def _get_messages(self, form: schemas.GetMessages, _: Session) -> Command:
        conversation_id = parse_id(form.conversation_id)

        async def run(client: UserClient) -> Result:
            request = GetConversationRequest(conversation_id=conversation_id)
            get = client.upstreams.conversations.GetConversation
            conversation = (await client.call(get, request, conversation_id=conversation_id)).conversation
            page = await page_number(client, conversation_id, form.page, form.limit)
            loaded = {
                "conversationId": format_id(conversation_id),
                "messages": await views.messages(client, self._user_cache, conversation, page.messages),
                "hasMore": page.has_more,
                "page": form.page,
            }
            return reply(loaded, ("messagesLoaded", loaded))

        return CallUpstream(run)

    # --- events

    def chat_event(self, event: chat.Event) -> EncodedEvent:
        """Encodes `newMessage`, edits, deletions, receipts and typing."""
        return encode_chat_event(self._chat_events, event)

    def _message_created(self, created_event: chat.Event) -> EncodedEvent:
        """Encodes a message for its sender, for others, and for members who muted the conversation.

        Records it in the state of the sender's connections, for `messageDelivered`.
        """
        created = created_event.message_created
        message = created.message
        view = views.message(message, created.sender_name, created_event.organization_id)
        own = own_ids(message.client_message_id)
        to_muted = (event("newMessage", view),)
        to_sender = (event("newMessage", {**view, **own}),) if own else to_muted
        to_others = (
            *to_muted,
            event(
                "newMessageNotification",
                {
                    "conversationId": view["conversationId"],
                    "senderId": view["senderId"],
                    "senderName": view["senderName"],
                    "content": view["content"],
                    "messageId": view["id"],
                    "timestamp": view["createdAt"],
                },
            ),
        )

        muted = frozenset(created.muted)

        def payloads(session: Session) -> Payloads:
            user_id = session.identity.user_id
            if user_id != message.sender_id:
                return to_muted if user_id in muted else to_others
            session.dialect_state.sent(message)
            return to_sender

        return payloads

    def _message_updated(self, updated: chat.Event) -> EncodedEvent:
        message = updated.message_updated.message
        return with_names(
            self._user_cache,
            updated.organization_id,
            [message.sender_id],
            lambda users: (
                event(
                    "messageUpdated",
                    {"message": views.message(message, users[message.sender_id].name, updated.organization_id)},
                ),
            ),
        )

    def notify_event(self, notification_event: notify.Event) -> Payloads:
        """Encodes `newNotification`."""
        if notification_event.WhichOneof("payload") != "notification_created":
            return ()
        return (
            event("newNotification", {"notification": views.notification(notification_event.notification_created)}),
        )

    def presence_event(self, presence_event: presence.Event, came_or_went: bool) -> EncodedEvent:
        """Encodes `userStatusChanged`, for clients that joined the organization."""
        if not came_or_went:
            return ()
        payloads = (event("userStatusChanged", _status(presence_event.presence)),)
        return lambda session: payloads if session.dialect_state.has_joined else ()


VIEWS: Final = views
"""How the HTTP interface answers in this dialect."""


def create_dialect(context: DialectContext) -> Dialect:
    """Creates the dialect."""
    return TelecomDialect(context)


def _nothing(_: chat.Event) -> EncodedEvent:
    """Encodes nothing: the front-end lists its conversations again when a message of a new one arrives."""
    return ()


def _send_message(form: schemas.SendMessageForm, _: Session) -> Command:
    if not form.content.strip():
        raise invalid({"content": "must not be empty"})
    kind: Any = number_of(MESSAGE_KINDS, "messageType", form.message_type)
    return SendMessage(
        Draft(conversation_id=parse_id(form.conversation_id), client_message_id=form.key, text=form.content, kind=kind)
    )


def _mark_as_read(form: schemas.MarkMessagesAsRead, _: Session) -> Command:
    """Marks up to the last message: chat lowers a seq beyond it."""
    return SendSignal(MarkReadRequest(conversation_id=parse_id(form.conversation_id), seq=MAX_INTEGER))


def _typing(form: schemas.Typing, _: Session) -> Command:
    return SendSignal(SetTypingRequest(conversation_id=parse_id(form.conversation_id), active=form.is_typing))


def _delete_message(form: schemas.DeleteMessage, _: Session) -> Command:
    message_id = parse_id(form.message_id)

    async def run(client: UserClient) -> Result:
        response = await client.call(client.upstreams.messages.GetMessage, GetMessageRequest(message_id=message_id))
        message = response.message
        if message.sender_id != client.identity.user_id:
            raise PermissionDeniedError("NOT_THE_SENDER", "only the sender deletes a message")
        request = DeleteMessageRequest(conversation_id=message.conversation_id, message_id=message_id)
        delete = client.upstreams.messages.DeleteMessage
        await client.call(delete, request, conversation_id=message.conversation_id)
        return reply({"messageId": format_id(message_id), "conversationId": format_id(message.conversation_id)})

    return CallUpstream(run)


def _message_deleted(deleted: chat.Event) -> EncodedEvent:
    message = deleted.message_deleted.message
    body = {
        "messageId": format_id(message.message_id),
        "conversationId": format_id(message.conversation_id),
        "timestamp": time_text(message.delete_time),
    }
    return (event("messageDeleted", body),)


def _receipt_updated(updated: chat.Event) -> EncodedEvent:
    receipt = updated.receipt_updated
    read: Payloads = ()
    if receipt.HasField("read_time"):
        body = {
            "conversationId": format_id(receipt.conversation_id),
            "readBy": format_id(receipt.user_id),
            "timestamp": time_text(receipt.read_time),
        }
        read = (event("messagesRead", body),)

    def payloads(session: Session) -> Payloads:
        if session.identity.user_id == receipt.user_id:
            return read
        delivered = session.dialect_state.delivered(receipt.conversation_id, receipt.delivered_seq)
        return (*(_delivered(receipt.conversation_id, message_id) for message_id in delivered), *read)

    return payloads


def _delivered(conversation_id: str, message_id: str) -> bytes:
    body = {
        "messageId": format_id(message_id),
        "conversationId": format_id(conversation_id),
        "timestamp": views.now(),
    }
    return event("messageDelivered", body)


def _typing_updated(updated: chat.Event) -> EncodedEvent:
    typing = updated.typing_updated
    body = {
        "conversationId": format_id(typing.conversation_id),
        "userId": format_id(typing.user_id),
        "isTyping": typing.active,
    }
    return (event("userTyping", body),)


def _status(user_presence: presence.Presence) -> dict[str, Any]:
    return {
        "userId": format_id(user_presence.user_id),
        "isOnline": is_online(user_presence),
        "lastSeen": last_seen(user_presence),
        "timestamp": views.now(),
    }
