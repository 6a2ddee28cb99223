"""`projects`: the chat of an agency's CRM, linked to projects, over Socket.IO. `views` has its objects."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import UNSET
from parley.chat.v1 import event_pb2 as chat
from parley.chat.v1.chat_pb2 import Member, Message
from parley.chat.v1.conversation_pb2 import GetConversationRequest
from parley.chat.v1.message_pb2 import Draft, GetMessageRequest, MarkReadRequest, SetTypingRequest
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from chassis.errors import AppError
from gateway.dialects.base import (
    ChatEncoders,
    Deferred,
    Dialect,
    DialectContext,
    EncodedEvent,
    Payloads,
    SocketIoEndpoint,
    encode_chat_event,
    payloads_for,
)
from gateway.dialects.client_message_ids import own_ids
from gateway.dialects.ids import format_id, parse_id
from gateway.dialects.lookups import last_seen, with_names
from gateway.dialects.projects import schemas, views
from gateway.dialects.socketio_base import SNAKE_CASE, Operation, SocketIoDialect, event, notification_object, reply
from gateway.dialects.validation import MAX_INTEGER, invalid, number_of
from gateway.sessions.commands import CallUpstream, Command, Result, SendMessage, SendSignal
from gateway.sessions.history import page_before
from gateway.sessions.session import Session
from gateway.sessions.user_client import UserClient
from gateway.upstream.presence_cache import is_online
from gateway.upstream.user_cache import CachedUser
from gateway.wire.enum_names import MESSAGE_KINDS
from gateway.wire.timestamps import time_text

NAME: Final = "projects"
_WINDOW_MESSAGES: Final = 200
_JOINED_CONVERSATIONS: Final = 100
_MAX_UPDATED: Final = 100
"""The most recipients of `conversation_update`, which takes a call for each; in larger conversations only the clients
that joined it receive it."""


class Window:
    """The latest messages of a conversation that a client joined, and how far each member has read them.

    The front-end expects receipts with messages' ids, but the events have seqs.
    """

    __slots__ = ("messages", "read")

    def __init__(self) -> None:
        self.messages: OrderedDict[int, tuple[str, str]] = OrderedDict()
        self.read: dict[str, int] = {}

    def add_messages(self, messages: Iterable[Message]) -> None:
        """Adds messages; drops the earliest above a limit."""
        for message in messages:
            self.messages[message.seq] = (message.message_id, message.sender_id)
        while len(self.messages) > _WINDOW_MESSAGES:
            del self.messages[min(self.messages)]

    def add_read_marks(self, members: Iterable[Member]) -> None:
        """Adds members' read marks."""
        for member in members:
            self.read[member.user_id] = max(member.read_seq, self.read.get(member.user_id, 0))

    def newly_read(self, user_id: str, read_seq: int) -> list[str]:
        """Returns the ids of others' messages that a user has read since the previous call."""
        before = self.read.get(user_id, 0)
        self.read[user_id] = max(before, read_seq)
        return [
            message_id
            for seq, (message_id, sender_id) in sorted(self.messages.items())
            if before < seq <= read_seq and sender_id != user_id
        ]


class ConnectionState:
    """The dialect's state of one connection: the conversations that the client joined."""

    __slots__ = ("joined",)

    def __init__(self) -> None:
        self.joined: OrderedDict[str, Window] = OrderedDict()

    def join(self, conversation_id: str) -> Window:
        """Returns the window of a conversation, new or existing; leaves the first one joined above a limit."""
        window = self.joined.setdefault(conversation_id, Window())
        if len(self.joined) > _JOINED_CONVERSATIONS:
            self.joined.popitem(last=False)
        return window


class ProjectsDialect(SocketIoDialect):
    """The dialect; SocketIoDialect implements what all Socket.IO dialects share."""

    name = NAME
    endpoint = SocketIoEndpoint("/projects")

    def __init__(self, context: DialectContext) -> None:
        self._user_cache = context.user_cache
        super().__init__(
            {
                "join_conversation": Operation(schemas.JoinedConversation, _join),
                "leave_conversation": Operation(schemas.JoinedConversation, _leave),
                "send_message": Operation(schemas.SendMessageForm, _send_message, {"text": "content", "kind": "type"}),
                "typing": Operation(schemas.Typing, _typing),
                "mark_as_read": Operation(schemas.MarkAsRead, _mark_as_read),
            },
            SNAKE_CASE,
        )
        self._chat_events: ChatEncoders = {
            "message_created": self._message_created,
            "message_updated": lambda event: self._message_changed(event, event.message_updated.message),
            "message_deleted": lambda event: self._message_changed(event, event.message_deleted.message),
            "conversation_created": lambda event: self._conversation_changed(
                event, event.conversation_created.conversation.conversation_id
            ),
            "conversation_updated": lambda event: self._conversation_changed(
                event, event.conversation_updated.conversation.conversation_id
            ),
            "member_added": lambda event: self._conversation_changed(event, event.member_added.conversation_id),
            "member_removed": self._member_removed,
            "member_updated": lambda event: self._conversation_changed(event, event.member_updated.conversation_id),
            "receipt_updated": _receipt_updated,
            "draft_updated": lambda _: (),
            "typing_updated": _typing_updated,
        }

    def new_state(self) -> ConnectionState:
        """Returns the state of a new connection."""
        return ConnectionState()

    # --- events

    def chat_event(self, event: chat.Event) -> EncodedEvent:
        """Encodes `new_message`, `message_update`, `conversation_update` and `user_typing`."""
        return encode_chat_event(self._chat_events, event)

    def _message_created(self, created_event: chat.Event) -> EncodedEvent:
        """Encodes a message; for its sender with the front-end's own id. Adds it to the windows of joined clients."""
        created = created_event.message_created
        message, sender_name = created.message, created.sender_name

        def encode(extra: Mapping[str, Any]) -> EncodedEvent:
            def payloads(users: Mapping[str, CachedUser]) -> Payloads:
                view = views.message(message, users[message.sender_id]._replace(name=sender_name))
                return (event("new_message", {**view, **extra}),)

            return with_names(self._user_cache, created_event.organization_id, [message.sender_id], payloads)

        to_others, own = encode({}), own_ids(message.client_message_id)
        to_sender = encode(own) if own else to_others

        def by_session(session: Session) -> Payloads | Deferred:
            window = session.dialect_state.joined.get(message.conversation_id)
            if window is not None:
                window.add_messages([message])
            return payloads_for(session, to_sender if session.identity.user_id == message.sender_id else to_others)

        return by_session

    def _message_changed(self, changed: chat.Event, message: Message) -> EncodedEvent:
        """Encodes an edited or deleted message, for clients that joined its conversation."""
        encoded = with_names(
            self._user_cache,
            changed.organization_id,
            [message.sender_id],
            lambda users: (
                event(
                    "message_update",
                    {
                        "conversationId": format_id(message.conversation_id),
                        "messageIds": [format_id(message.message_id)],
                        "readBy": [],
                        "message": views.message(message, users[message.sender_id]),
                    },
                ),
            ),
        )
        return _if_joined(message.conversation_id, encoded)

    def _conversation_changed(self, changed: chat.Event, conversation_id: str) -> EncodedEvent:
        """Encodes a conversation as each user sees it now; in a large one, only for clients that joined it."""

        async def load(client: UserClient) -> Payloads:
            request = GetConversationRequest(conversation_id=conversation_id)
            get = client.upstreams.conversations.GetConversation
            response = await client.call(get, request, conversation_id=conversation_id)
            (view,) = await views.conversations(client, self._user_cache, [response.conversation])
            return (event("conversation_update", {"conversation": view}),)

        if len(changed.recipients) > _MAX_UPDATED:
            return _if_joined(conversation_id, lambda _: Deferred(load))
        return lambda _: Deferred(load)

    def _member_removed(self, removed_event: chat.Event) -> EncodedEvent:
        """Encodes the conversation for the members who stay. The removed user gets nothing: the front-end has no event
        for it, and the user's requests fail from now on."""
        removed = removed_event.member_removed
        encoded = self._conversation_changed(removed_event, removed.conversation_id)

        def by_session(session: Session) -> Payloads | Deferred:
            if session.identity.user_id == removed.member.user_id:
                session.dialect_state.joined.pop(removed.conversation_id, None)
                return ()
            return payloads_for(session, encoded)

        return by_session

    def notify_event(self, notification_event: notify.Event) -> EncodedEvent:
        """Encodes `notification`, which older front-ends ignore."""
        if notification_event.WhichOneof("payload") != "notification_created":
            return ()
        notification = notification_object(notification_event.notification_created)
        return (event("notification", {"notification": notification}),)

    def presence_event(self, presence_event: presence.Event, came_or_went: bool) -> EncodedEvent:
        """Encodes `user_online` and `user_offline`, for other users."""
        if not came_or_went:
            return ()
        user_presence = presence_event.presence
        body: dict[str, Any] = {"userId": format_id(user_presence.user_id)}
        if is_online(user_presence):
            payload = event("user_online", body)
        else:
            payload = event("user_offline", {**body, "lastSeen": last_seen(user_presence)})
        return lambda session: () if session.identity.user_id == user_presence.user_id else (payload,)


VIEWS: Final = views
"""How the HTTP interface answers in this dialect."""


def create_dialect(context: DialectContext) -> Dialect:
    """Creates the dialect."""
    return ProjectsDialect(context)


def _if_joined(conversation_id: str, encoded: EncodedEvent) -> EncodedEvent:
    """Restricts an encoded event to clients that joined a conversation."""

    def by_session(session: Session) -> Payloads | Deferred:
        if conversation_id not in session.dialect_state.joined:
            return ()
        return payloads_for(session, encoded)

    return by_session


def _join(form: schemas.JoinedConversation, session: Session) -> Command:
    """Joins before it loads the window, so that no message is missed in between and a leave meanwhile takes effect."""
    conversation_id = parse_id(form.conversation_id)

    async def run(client: UserClient) -> Result:
        window = session.dialect_state.join(conversation_id)
        try:
            await _load(window, client, conversation_id)
        except AppError:
            if session.dialect_state.joined.get(conversation_id) is window:
                del session.dialect_state.joined[conversation_id]
            raise
        return reply({"conversationId": format_id(conversation_id)})

    return CallUpstream(run)


async def _load(window: Window, client: UserClient, conversation_id: str) -> None:
    request = GetConversationRequest(conversation_id=conversation_id)
    get = client.upstreams.conversations.GetConversation
    window.add_read_marks((await client.call(get, request, conversation_id=conversation_id)).conversation.members)
    window.add_messages((await page_before(client, conversation_id, None, _WINDOW_MESSAGES)).messages)


def _leave(form: schemas.JoinedConversation, session: Session) -> Command:
    conversation_id = parse_id(form.conversation_id)

    async def run(_: UserClient) -> Result:
        session.dialect_state.joined.pop(conversation_id, None)
        return reply({"conversationId": format_id(conversation_id)})

    return CallUpstream(run)


def _send_message(form: schemas.SendMessageForm, _: Session) -> Command:
    if not form.content.strip() and not form.attachments:
        raise invalid({"content": "must not be empty"})
    kind: Any = number_of(MESSAGE_KINDS, "type", form.type)
    draft = Draft(
        conversation_id=parse_id(form.conversation_id), client_message_id=form.key, text=form.content, kind=kind
    )
    for attachment in form.attachments:
        draft.attachments.add(
            url=attachment.url, name=attachment.name, content_type=attachment.type, size_bytes=attachment.size
        )
    return SendMessage(draft)


def _typing(form: schemas.Typing, _: Session) -> Command:
    return SendSignal(SetTypingRequest(conversation_id=parse_id(form.conversation_id), active=form.is_typing))


def _mark_as_read(form: schemas.MarkAsRead, _: Session) -> Command:
    """Marks up to a message, or up to the last one: chat lowers a seq beyond it."""
    if form.message_id is UNSET:
        if form.conversation_id is UNSET:
            raise invalid({"conversationId": "is missing"})
        return SendSignal(MarkReadRequest(conversation_id=parse_id(form.conversation_id), seq=MAX_INTEGER))
    message_id = parse_id(form.message_id)
    expected = None if form.conversation_id is UNSET else parse_id(form.conversation_id)

    async def run(client: UserClient) -> Result:
        response = await client.call(client.upstreams.messages.GetMessage, GetMessageRequest(message_id=message_id))
        message = response.message
        if expected not in {None, message.conversation_id}:
            raise invalid({"messageId": "is of another conversation"})
        request = MarkReadRequest(conversation_id=message.conversation_id, seq=message.seq)
        await client.call(client.upstreams.messages.MarkRead, request, conversation_id=message.conversation_id)
        return reply({"conversationId": format_id(message.conversation_id)})

    return CallUpstream(run)


def _receipt_updated(updated: chat.Event) -> EncodedEvent:
    receipt = updated.receipt_updated
    if not receipt.HasField("read_time"):
        return ()
    read_by = [{"user": format_id(receipt.user_id), "readAt": time_text(receipt.read_time)}]

    def payloads(session: Session) -> Payloads:
        window: Window | None = session.dialect_state.joined.get(receipt.conversation_id)
        ids = window.newly_read(receipt.user_id, receipt.read_seq) if window is not None else []
        if not ids:
            return ()
        body = {
            "conversationId": format_id(receipt.conversation_id),
            "messageIds": [format_id(message_id) for message_id in ids],
            "readBy": read_by,
        }
        return (event("message_update", body),)

    return payloads


def _typing_updated(updated: chat.Event) -> EncodedEvent:
    typing = updated.typing_updated
    body = {
        "conversationId": format_id(typing.conversation_id),
        "userId": format_id(typing.user_id),
        "name": typing.name,
        "isTyping": typing.active,
    }
    return _if_joined(typing.conversation_id, (event("user_typing", body),))
