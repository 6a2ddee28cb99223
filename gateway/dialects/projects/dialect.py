"""`projects`: the chat of an agency's CRM, linked to projects, in Socket.IO. See `projects_shapes` for its objects."""

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
from gateway.dialects.projects import schemas as forms
from gateway.dialects.projects import views as shapes
from gateway.dialects.socketio_base import Operation, SocketIoDialect, done, event, notification_object
from gateway.dialects.validation import MAX_INTEGER, invalid, number_of
from gateway.sessions.commands import CallUpstream, Command, Result, SendMessage, SendSignal, UserCalls
from gateway.sessions.history import page_before
from gateway.sessions.session import Session
from gateway.upstream.presence_cache import is_online
from gateway.upstream.user_cache import CachedUser
from gateway.wire.enum_names import MESSAGE_KINDS
from gateway.wire.timestamps import time_text

NAME: Final = "projects"
_REMEMBERED_MESSAGES: Final = 200
_JOINED_CONVERSATIONS: Final = 100
_MOST_TOLD: Final = 100
"""So many are told of a change of a conversation, which takes calls for each; of more, those who joined it."""


class Window:
    """The latest messages of a conversation that a connection has joined, and who had read how much of them.

    The front-end is told of receipts by the messages' ids, and the events have none.
    """

    __slots__ = ("messages", "read")

    def __init__(self) -> None:
        self.messages: OrderedDict[int, tuple[str, str]] = OrderedDict()
        self.read: dict[str, int] = {}

    def note(self, messages: Iterable[Message]) -> None:
        """Remembers messages; of very many, the earliest are forgotten."""
        for message in messages:
            self.messages[message.seq] = (message.message_id, message.sender_id)
        while len(self.messages) > _REMEMBERED_MESSAGES:
            del self.messages[min(self.messages)]

    def note_marks(self, members: Iterable[Member]) -> None:
        """Remembers who has read how much."""
        for member in members:
            self.read[member.user_id] = max(member.read_seq, self.read.get(member.user_id, 0))

    def newly_read(self, user_id: str, read_seq: int) -> list[str]:
        """The ids of messages of others that a user has read since this was last asked."""
        before = self.read.get(user_id, 0)
        self.read[user_id] = max(before, read_seq)
        return [
            message_id
            for seq, (message_id, sender_id) in sorted(self.messages.items())
            if before < seq <= read_seq and sender_id != user_id
        ]


class ConnectionState:
    """What is remembered of one connection: the conversations that it has joined."""

    __slots__ = ("joined",)

    def __init__(self) -> None:
        self.joined: OrderedDict[str, Window] = OrderedDict()

    def join(self, conversation_id: str) -> Window:
        """The window of a conversation; of very many, the first is left."""
        window = self.joined.setdefault(conversation_id, Window())
        if len(self.joined) > _JOINED_CONVERSATIONS:
            self.joined.popitem(last=False)
        return window


class ProjectsDialect(SocketIoDialect):
    """The dialect; see SocketIoDialect for what all of Socket.IO share."""

    name = NAME
    endpoint = SocketIoEndpoint("/projects")

    def __init__(self, context: DialectContext) -> None:
        self._user_cache = context.people
        super().__init__(
            {
                "join_conversation": Operation(forms.OneConversation, _join),
                "leave_conversation": Operation(forms.OneConversation, _leave),
                "send_message": Operation(forms.SendMessageForm, _send_message, {"text": "content", "kind": "type"}),
                "typing": Operation(forms.Typing, _typing),
                "mark_as_read": Operation(forms.MarkAsRead, _mark_as_read),
            }
        )
        self._chat_events: ChatEncoders = {
            "message_created": self._message_created,
            "message_updated": lambda happened: self._message_changed(happened, happened.message_updated.message),
            "message_deleted": lambda happened: self._message_changed(happened, happened.message_deleted.message),
            "conversation_created": lambda happened: self._changed(
                happened, happened.conversation_created.conversation.conversation_id
            ),
            "conversation_updated": lambda happened: self._changed(
                happened, happened.conversation_updated.conversation.conversation_id
            ),
            "member_added": lambda happened: self._changed(happened, happened.member_added.conversation_id),
            "member_removed": self._member_removed,
            "member_updated": lambda happened: self._changed(happened, happened.member_updated.conversation_id),
            "receipt_updated": _receipt_updated,
            "typing_updated": _typing_updated,
        }

    def new_state(self) -> ConnectionState:
        """What is remembered of a new connection."""
        return ConnectionState()

    # --- what clients are told

    def chat_event(self, happened: chat.Event) -> EncodedEvent:
        """`new_message`, `message_update`, `conversation_update` and `user_typing`."""
        return encode_chat_event(self._chat_events, happened)

    def _message_created(self, happened: chat.Event) -> EncodedEvent:
        """To the sender's connections it comes with the front-end's own id of it."""
        message, name = happened.message_created.message, happened.message_created.sender_name

        def speech(more: Mapping[str, Any]) -> EncodedEvent:
            def say(people: Mapping[str, CachedUser]) -> Payloads:
                shape = shapes.message(message, people[message.sender_id]._replace(name=name))
                return (event("new_message", {**shape, **more}),)

            return with_names(self._user_cache, happened.organization_id, [message.sender_id], say)

        to_others, own = speech({}), own_ids(message.client_message_id)
        to_sender = speech(own) if own else to_others

        def noted(session: Session) -> Payloads | Deferred:
            window = session.dialect_state.joined.get(message.conversation_id)
            if window is not None:
                window.note([message])
            return payloads_for(session, to_sender if session.identity.user_id == message.sender_id else to_others)

        return noted

    def _message_changed(self, happened: chat.Event, message: Message) -> EncodedEvent:
        """An edit or a deletion: the message as it is now, for those who look at it."""
        speech = with_names(
            self._user_cache,
            happened.organization_id,
            [message.sender_id],
            lambda people: (
                event(
                    "message_update",
                    {
                        "conversationId": format_id(message.conversation_id),
                        "messageIds": [format_id(message.message_id)],
                        "readBy": [],
                        "message": shapes.message(message, people[message.sender_id]),
                    },
                ),
            ),
        )
        return _where_joined(message.conversation_id, speech)

    def _changed(self, happened: chat.Event, conversation_id: str) -> EncodedEvent:
        """A conversation is not what it was: each client is told what it is now, or those who look at a large one."""

        async def look(calls: UserCalls) -> Payloads:
            request = GetConversationRequest(conversation_id=conversation_id)
            get = calls.upstreams.conversations.GetConversation
            response = await calls.call(get, request, conversation_id=conversation_id)
            (shape,) = await shapes.conversations(calls, self._user_cache, [response.conversation])
            return (event("conversation_update", {"conversation": shape}),)

        if len(happened.recipients) > _MOST_TOLD:
            return _where_joined(conversation_id, lambda _: Deferred(look))
        return lambda _: Deferred(look)

    def _member_removed(self, happened: chat.Event) -> EncodedEvent:
        """Whoever was removed is told nothing: the front-end has no word for it, and asks in vain from now on."""
        removed = happened.member_removed
        speech = self._changed(happened, removed.conversation_id)

        def to_members(session: Session) -> Payloads | Deferred:
            if session.identity.user_id == removed.member.user_id:
                session.dialect_state.joined.pop(removed.conversation_id, None)
                return ()
            return payloads_for(session, speech)

        return to_members

    def notify_event(self, happened: notify.Event) -> EncodedEvent:
        """`notification`, which front-ends that don't know it pass over."""
        if happened.WhichOneof("payload") != "notification_created":
            return ()
        create_dialect = notification_object(happened.notification_created)
        return (event("notification", {"notification": create_dialect}),)

    def presence_event(self, happened: presence.Event, came_or_went: bool) -> EncodedEvent:
        """`user_online` and `user_offline`, to the others."""
        if not came_or_went:
            return ()
        seen = happened.presence
        body: dict[str, Any] = {"userId": format_id(seen.user_id)}
        if is_online(seen):
            said = event("user_online", body)
        else:
            said = event("user_offline", {**body, "lastSeen": last_seen(seen)})
        return lambda session: () if session.identity.user_id == seen.user_id else (said,)


SHAPES: Final = shapes
"""How the HTTP interface answers in this dialect."""


def create_dialect(context: DialectContext) -> Dialect:
    """This dialect."""
    return ProjectsDialect(context)


def _where_joined(conversation_id: str, speech: EncodedEvent) -> EncodedEvent:
    """Something that is for connections alone that have joined a conversation."""

    def to_joined(session: Session) -> Payloads | Deferred:
        if conversation_id not in session.dialect_state.joined:
            return ()
        return payloads_for(session, speech)

    return to_joined


def _join(form: forms.OneConversation, session: Session) -> Command:
    """The window is there before it is filled, so that no message falls between, and who leaves meanwhile has left."""
    conversation_id = parse_id(form.conversation_id)

    async def run(calls: UserCalls) -> Result:
        window = session.dialect_state.join(conversation_id)
        try:
            await _fill(window, calls, conversation_id)
        except AppError:
            if session.dialect_state.joined.get(conversation_id) is window:
                del session.dialect_state.joined[conversation_id]
            raise
        return done({"conversationId": format_id(conversation_id)})

    return CallUpstream(run)


async def _fill(window: Window, calls: UserCalls, conversation_id: str) -> None:
    request = GetConversationRequest(conversation_id=conversation_id)
    get = calls.upstreams.conversations.GetConversation
    window.note_marks((await calls.call(get, request, conversation_id=conversation_id)).conversation.members)
    window.note((await page_before(calls, conversation_id, None, _REMEMBERED_MESSAGES)).messages)


def _leave(form: forms.OneConversation, session: Session) -> Command:
    conversation_id = parse_id(form.conversation_id)

    async def run(_: UserCalls) -> Result:
        session.dialect_state.joined.pop(conversation_id, None)
        return done({"conversationId": format_id(conversation_id)})

    return CallUpstream(run)


def _send_message(form: forms.SendMessageForm, _: Session) -> Command:
    if not form.content.strip() and not form.attachments:
        raise invalid({"content": "must not be empty"})
    kind: Any = number_of(MESSAGE_KINDS, "type", form.type)
    draft = Draft(
        conversation_id=parse_id(form.conversation_id), client_message_id=form.key, text=form.content, kind=kind
    )
    for attached in form.attachments:
        draft.attachments.add(
            url=attached.url, name=attached.name, content_type=attached.type, size_bytes=attached.size
        )
    return SendMessage(draft)


def _typing(form: forms.Typing, _: Session) -> Command:
    return SendSignal(SetTypingRequest(conversation_id=parse_id(form.conversation_id), active=form.is_typing))


def _mark_as_read(form: forms.MarkAsRead, _: Session) -> Command:
    """A seq beyond the last message counts as the last."""
    if form.message_id is UNSET:
        if form.conversation_id is UNSET:
            raise invalid({"conversationId": "is missing"})
        return SendSignal(MarkReadRequest(conversation_id=parse_id(form.conversation_id), seq=MAX_INTEGER))
    message_id = parse_id(form.message_id)
    claimed = None if form.conversation_id is UNSET else parse_id(form.conversation_id)

    async def run(calls: UserCalls) -> Result:
        found = await calls.call(calls.upstreams.messages.GetMessage, GetMessageRequest(message_id=message_id))
        message = found.message
        if claimed not in {None, message.conversation_id}:
            raise invalid({"messageId": "is of another conversation"})
        request = MarkReadRequest(conversation_id=message.conversation_id, seq=message.seq)
        await calls.call(calls.upstreams.messages.MarkRead, request, conversation_id=message.conversation_id)
        return done({"conversationId": format_id(message.conversation_id)})

    return CallUpstream(run)


def _receipt_updated(happened: chat.Event) -> EncodedEvent:
    receipt = happened.receipt_updated
    if not receipt.HasField("read_time"):
        return ()
    read_by = [{"user": format_id(receipt.user_id), "readAt": time_text(receipt.read_time)}]

    def speech(session: Session) -> Payloads:
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

    return speech


def _typing_updated(happened: chat.Event) -> EncodedEvent:
    typing = happened.typing_updated
    body = {
        "conversationId": format_id(typing.conversation_id),
        "userId": format_id(typing.user_id),
        "name": typing.name,
        "isTyping": typing.active,
    }
    return _where_joined(typing.conversation_id, (event("user_typing", body),))
