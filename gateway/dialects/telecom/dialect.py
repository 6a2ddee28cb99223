"""`telecom`: a WhatsApp-like chat of a CRM, in Socket.IO. What its objects look like stands in `telecom_shapes`."""

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
from gateway.dialects.socketio_base import Operation, SocketIoDialect, done, event
from gateway.dialects.telecom import schemas as forms
from gateway.dialects.telecom import views as shapes
from gateway.dialects.validation import MAX_INTEGER, invalid, number_of
from gateway.sessions.commands import CallUpstream, Command, Result, SendMessage, SendSignal, UserCalls
from gateway.sessions.history import page_before, page_number
from gateway.sessions.session import Session
from gateway.upstream.presence_cache import is_online
from gateway.upstream.user_cache import UserCache
from gateway.wire.enum_names import MESSAGE_KINDS
from gateway.wire.timestamps import time_text

NAME: Final = "telecom"
_LISTED_CONVERSATIONS: Final = 200
_UNCONFIRMED_PER_CONVERSATION: Final = 500
_UNCONFIRMED_CONVERSATIONS: Final = 200


class ConnectionState:
    """What is remembered of one connection.

    Attributes:
        watches: whether it is told who comes and goes.
        unconfirmed: by conversation, the (seq, id) of own messages of which nobody was told to have them.
    """

    __slots__ = ("unconfirmed", "watches")

    def __init__(self) -> None:
        self.watches = False
        self.unconfirmed: OrderedDict[str, deque[tuple[int, str]]] = OrderedDict()

    def sent(self, message: Message) -> None:
        """Notes an own message; of very many, the first are forgotten."""
        line = self.unconfirmed.setdefault(message.conversation_id, deque(maxlen=_UNCONFIRMED_PER_CONVERSATION))
        line.append((message.seq, message.message_id))
        if len(self.unconfirmed) > _UNCONFIRMED_CONVERSATIONS:
            self.unconfirmed.popitem(last=False)

    def delivered(self, conversation_id: str, seq: int) -> list[str]:
        """The ids of own messages that have now reached somebody, each once."""
        line = self.unconfirmed.get(conversation_id, deque())
        ids = []
        while line and line[0][0] <= seq:
            ids.append(line.popleft()[1])
        if not line:
            self.unconfirmed.pop(conversation_id, None)
        return ids


class TelecomDialect(SocketIoDialect):
    """The dialect; see SocketIoDialect for what all of Socket.IO share."""

    name = NAME
    endpoint = SocketIoEndpoint("/telecom")

    def __init__(self, context: DialectContext) -> None:
        self._user_cache: UserCache = context.people
        self._presence_cache = context.presence_cache
        super().__init__(
            {
                "joinOrganization": Operation(forms.JoinOrganization, self._join_organization),
                "getOrCreateConversation": Operation(
                    forms.GetOrCreateConversation, self._get_or_create_conversation, {"userId": "targetUserId"}
                ),
                "sendMessage": Operation(
                    forms.SendMessageForm, _send_message, {"text": "content", "kind": "messageType"}
                ),
                "markMessagesAsRead": Operation(forms.OneConversation, _mark_as_read),
                "typing": Operation(forms.Typing, _typing),
                "getConversations": Operation(forms.Nothing, self._get_conversations),
                "getMessages": Operation(forms.GetMessages, self._get_messages),
                "deleteMessage": Operation(forms.DeleteMessage, _delete_message),
            }
        )
        self._chat_events: ChatEncoders = {
            "message_created": self._message_created,
            "message_updated": self._message_updated,
            "message_deleted": _message_deleted,
            "conversation_created": _nothing,
            "conversation_updated": _nothing,
            "member_added": _nothing,
            "member_removed": _nothing,
            "member_updated": _nothing,
            "receipt_updated": _receipt_updated,
            "typing_updated": _typing_updated,
        }

    def new_state(self) -> ConnectionState:
        """What is remembered of a new connection."""
        return ConnectionState()

    def _join_organization(self, _: forms.JoinOrganization, session: Session) -> Command:
        async def run(calls: UserCalls) -> Result:
            session.dialect_state.watches = True
            await self._presence_cache.wait_synced(calls.identity.organization_id)
            here = [_status(found.presence) for found in self._presence_cache.online(calls.identity)]
            return done({}, *(("userStatusChanged", status) for status in here))

        return CallUpstream(run)

    def _get_or_create_conversation(self, form: forms.GetOrCreateConversation, _: Session) -> Command:
        request = GetOrCreateDirectConversationRequest(user_id=parse_id(form.target_user_id))

        async def run(calls: UserCalls) -> Result:
            response = await calls.call(calls.upstreams.conversations.GetOrCreateDirectConversation, request)
            conversation = response.conversation
            page = await page_before(calls, conversation.conversation_id, None, forms.LOADED_MESSAGES)
            seen = await load_profiles(calls, self._user_cache, members_of([conversation]))
            loaded = {
                "conversationId": format_id(conversation.conversation_id),
                "participants": shapes.participants(conversation, seen),
                "messages": await shapes.messages(calls, self._user_cache, conversation, page.messages),
                "unreadCount": conversation.unread_count,
            }
            return done(loaded, ("conversationLoaded", loaded))

        return CallUpstream(run)

    def _get_conversations(self, _: forms.Nothing, __: Session) -> Command:
        async def run(calls: UserCalls) -> Result:
            request = ListConversationsRequest(page_size=_LISTED_CONVERSATIONS)
            response = await calls.call(calls.upstreams.conversations.ListConversations, request)
            listed = {"conversations": await shapes.conversations(calls, self._user_cache, response.conversations)}
            return done(listed, ("conversationsList", listed))

        return CallUpstream(run)

    def _get_messages(self, form: forms.GetMessages, _: Session) -> Command:
        conversation_id = parse_id(form.conversation_id)

        async def run(calls: UserCalls) -> Result:
            request = GetConversationRequest(conversation_id=conversation_id)
            get = calls.upstreams.conversations.GetConversation
            conversation = (await calls.call(get, request, conversation_id=conversation_id)).conversation
            page = await page_number(calls, conversation_id, form.page, form.limit)
            loaded = {
                "conversationId": format_id(conversation_id),
                "messages": await shapes.messages(calls, self._user_cache, conversation, page.messages),
                "hasMore": page.has_more,
                "page": form.page,
            }
            return done(loaded, ("messagesLoaded", loaded))

        return CallUpstream(run)

    # --- what clients are told

    def chat_event(self, happened: chat.Event) -> EncodedEvent:
        """`newMessage`, `messageDeleted`, `messagesRead`, `userTyping` and what belongs to them."""
        return encode_chat_event(self._chat_events, happened)

    def _message_created(self, happened: chat.Event) -> EncodedEvent:
        """To the sender's connections it is also what they wait to hear of: that somebody has it."""
        created = happened.message_created
        message = created.message
        shape = shapes.message(message, created.sender_name, happened.organization_id)
        own = own_ids(message.client_message_id)
        to_muted = (event("newMessage", shape),)
        to_sender = (event("newMessage", {**shape, **own}),) if own else to_muted
        to_others = (
            *to_muted,
            event(
                "newMessageNotification",
                {
                    "conversationId": shape["conversationId"],
                    "senderId": shape["senderId"],
                    "senderName": shape["senderName"],
                    "content": shape["content"],
                    "messageId": shape["id"],
                    "timestamp": shape["createdAt"],
                },
            ),
        )

        muted = frozenset(created.muted)

        def speech(session: Session) -> Payloads:
            user_id = session.identity.user_id
            if user_id != message.sender_id:
                return to_muted if user_id in muted else to_others
            session.dialect_state.sent(message)
            return to_sender

        return speech

    def _message_updated(self, happened: chat.Event) -> EncodedEvent:
        message = happened.message_updated.message
        return with_names(
            self._user_cache,
            happened.organization_id,
            [message.sender_id],
            lambda people: (
                event(
                    "messageUpdated",
                    {"message": shapes.message(message, people[message.sender_id].name, happened.organization_id)},
                ),
            ),
        )

    def notify_event(self, happened: notify.Event) -> Payloads:
        """`newNotification`."""
        if happened.WhichOneof("payload") != "notification_created":
            return ()
        return (event("newNotification", {"notification": shapes.notification(happened.notification_created)}),)

    def presence_event(self, happened: presence.Event, came_or_went: bool) -> EncodedEvent:
        """`userStatusChanged`, to those who have joined the organization."""
        if not came_or_went:
            return ()
        said = (event("userStatusChanged", _status(happened.presence)),)
        return lambda session: said if session.dialect_state.watches else ()


SHAPES: Final = shapes
"""How the HTTP interface answers in this dialect."""


def create_dialect(context: DialectContext) -> Dialect:
    """This dialect."""
    return TelecomDialect(context)


def _nothing(_: chat.Event) -> EncodedEvent:
    """The front-end has no word for it: it asks for its conversations when a message of a new one comes."""
    return ()


def _send_message(form: forms.SendMessageForm, _: Session) -> Command:
    if not form.content.strip():
        raise invalid({"content": "must not be empty"})
    kind: Any = number_of(MESSAGE_KINDS, "messageType", form.message_type)
    return SendMessage(
        Draft(conversation_id=parse_id(form.conversation_id), client_message_id=form.key, text=form.content, kind=kind)
    )


def _mark_as_read(form: forms.OneConversation, _: Session) -> Command:
    """A seq beyond the last message counts as the last."""
    return SendSignal(MarkReadRequest(conversation_id=parse_id(form.conversation_id), seq=MAX_INTEGER))


def _typing(form: forms.Typing, _: Session) -> Command:
    return SendSignal(SetTypingRequest(conversation_id=parse_id(form.conversation_id), active=form.is_typing))


def _delete_message(form: forms.DeleteMessage, _: Session) -> Command:
    message_id = parse_id(form.message_id)

    async def run(calls: UserCalls) -> Result:
        found = await calls.call(calls.upstreams.messages.GetMessage, GetMessageRequest(message_id=message_id))
        message = found.message
        if message.sender_id != calls.identity.user_id:
            raise PermissionDeniedError("NOT_THE_SENDER", "only the sender deletes a message")
        request = DeleteMessageRequest(conversation_id=message.conversation_id, message_id=message_id)
        delete = calls.upstreams.messages.DeleteMessage
        await calls.call(delete, request, conversation_id=message.conversation_id)
        return done({"messageId": format_id(message_id), "conversationId": format_id(message.conversation_id)})

    return CallUpstream(run)


def _message_deleted(happened: chat.Event) -> EncodedEvent:
    message = happened.message_deleted.message
    body = {
        "messageId": format_id(message.message_id),
        "conversationId": format_id(message.conversation_id),
        "timestamp": time_text(message.delete_time),
    }
    return (event("messageDeleted", body),)


def _receipt_updated(happened: chat.Event) -> EncodedEvent:
    receipt = happened.receipt_updated
    read: Payloads = ()
    if receipt.HasField("read_time"):
        body = {
            "conversationId": format_id(receipt.conversation_id),
            "readBy": format_id(receipt.user_id),
            "timestamp": time_text(receipt.read_time),
        }
        read = (event("messagesRead", body),)

    def speech(session: Session) -> Payloads:
        if session.identity.user_id == receipt.user_id:
            return read
        delivered = session.dialect_state.delivered(receipt.conversation_id, receipt.delivered_seq)
        return (*(_delivered(receipt.conversation_id, message_id) for message_id in delivered), *read)

    return speech


def _delivered(conversation_id: str, message_id: str) -> bytes:
    body = {
        "messageId": format_id(message_id),
        "conversationId": format_id(conversation_id),
        "timestamp": shapes.now(),
    }
    return event("messageDelivered", body)


def _typing_updated(happened: chat.Event) -> EncodedEvent:
    typing = happened.typing_updated
    body = {
        "conversationId": format_id(typing.conversation_id),
        "userId": format_id(typing.user_id),
        "isTyping": typing.active,
    }
    return (event("userTyping", body),)


def _status(seen: presence.Presence) -> dict[str, Any]:
    return {
        "userId": format_id(seen.user_id),
        "isOnline": is_online(seen),
        "lastSeen": last_seen(seen),
        "timestamp": shapes.now(),
    }
