"""`helpdesk`: clients and three levels of staff, on plain WebSockets: JSON objects with a `type`.

Its frames name users and rooms instead of conversations; `gateway.sessions.commands.ResolveConversation` finds those. A
room is open to all staff by its name; the front-end knows other groups by their conversation's id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import UNSET
from parley.chat.v1 import event_pb2 as chat
from parley.chat.v1.chat_pb2 import Message
from parley.chat.v1.conversation_pb2 import (
    GetConversationRequest,
    GetOrCreateDirectConversationRequest,
    JoinRoomRequest,
)
from parley.chat.v1.message_pb2 import Draft, MarkReadRequest, SendResult, SetTypingRequest
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from chassis.errors import (
    AppError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    UnimplementedError,
)
from chassis.identity import Identity
from gateway.dialects.base import (
    ChatEncoders,
    Deferred,
    Dialect,
    DialectContext,
    EncodedEvent,
    Payloads,
    WebSocketEndpoint,
    encode_chat_event,
    payloads_for,
)
from gateway.dialects.client_message_ids import OWN_IDS, ClientMessageIds
from gateway.dialects.helpdesk import schemas, views
from gateway.dialects.identity_claims import check_claims
from gateway.dialects.ids import echoed_ids, format_id, parse_id
from gateway.dialects.lookups import with_names
from gateway.dialects.message_content import reaction_fields, text_of
from gateway.dialects.validation import MAX_INTEGER, Form, invalid, read
from gateway.sessions.commands import (
    CallUpstream,
    Command,
    Malformed,
    RefreshSession,
    Reject,
    Request,
    ResolveConversation,
    Result,
    SendMessage,
    SendSignal,
)
from gateway.sessions.history import page_before
from gateway.sessions.session import Close, Session
from gateway.sessions.user_client import UserClient
from gateway.upstream.presence_cache import is_online
from gateway.wire import json_objects
from gateway.wire.enum_names import ROLES
from gateway.wire.field_errors import renamed
from gateway.wire.timestamps import time_text, time_text_of

NAME: Final = "helpdesk"
_JOIN: Final = "user_join"
_UNKNOWN: Final = "unknown"
_ROOM: Final = "room"
_USER: Final = "user"
_ID_LENGTH: Final = 22
_NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})
_USER_NAMES: Final[Mapping[str, str]] = MappingProxyType({"userId": "receiverId"})
_encode: Final = msgspec.json.Encoder().encode


class Operation(NamedTuple):
    """A type of frame.

    Attributes:
        form: the schema of its fields.
        command: makes the command from the fields and the session. Raises InvalidArgumentError.
        names: the front-end's names of fields by the services' names, for errors.
        reply_type: the type of the reply, unless the command's result has one.
    """

    form: type[Form]
    command: Callable[[Any, Session], Command]
    names: Mapping[str, str] = _NO_NAMES
    reply_type: str = ""


class Reference(NamedTuple):
    """What ties a reply to its frame.

    Attributes:
        own_ids: the front-end's own ids in the frame.
        names, reply_type: see Operation.
    """

    own_ids: Mapping[str, Any] = _NO_NAMES
    names: Mapping[str, str] = _NO_NAMES
    reply_type: str = ""


def token_from(text: str) -> str:
    """Returns the token in a `user_join` frame, or "" if it has none. Raises AppError for any other frame."""
    frame = _object(text)
    if frame.get("type") != _JOIN:
        raise FailedPreconditionError("NOT_JOINED", "send user_join first")
    token = frame.get("token")
    return token.removeprefix("Bearer ") if isinstance(token, str) else ""


class HelpdeskDialect:
    """The dialect."""

    name = NAME
    endpoint = WebSocketEndpoint("/helpdesk", token_from=token_from)
    is_legacy = True

    def __init__(self, context: DialectContext) -> None:
        self._user_cache = context.user_cache
        self._presence_cache = context.presence_cache
        self._operations = {
            _JOIN: Operation(schemas.UserJoin, self._user_join),
            "message": Operation(schemas.DirectMessage, _message, {"text": "content", "userId": "receiverId"}),
            "typing_start": Operation(schemas.Addressed, _typing_start, _USER_NAMES),
            "typing_stop": Operation(schemas.Addressed, _typing_stop, _USER_NAMES),
            "join_room": Operation(schemas.JoinRoom, self._join_room, {"externalRef": "roomId", "name": "roomName"}),
            "room_message": Operation(schemas.RoomMessage, _room_message, {"text": "content"}),
            "history": Operation(schemas.History, self._history, _USER_NAMES),
            "read": Operation(schemas.Addressed, _read, _USER_NAMES),
            "refresh_session": Operation(schemas.RefreshSessionForm, _refresh, reply_type="session_refreshed"),
        }
        self._chat_events: ChatEncoders = {
            "message_created": views.message_created,
            "message_updated": lambda event: _message_changed("message_updated", event.message_updated.message),
            "message_deleted": lambda event: _message_changed("message_deleted", event.message_deleted.message),
            "conversation_created": views.nothing,
            "conversation_updated": views.nothing,
            "draft_updated": views.nothing,
            "member_added": views.nothing,
            "member_removed": views.nothing,
            "member_updated": views.nothing,
            "receipt_updated": views.receipt_updated,
            "typing_updated": views.typing_updated,
        }

    def new_state(self) -> None:
        """Returns None: the dialect keeps no state of a connection."""

    # --- requests

    def decode(self, frame: str, session: Session) -> Request:
        """Decodes the text of a frame; never raises."""
        try:
            body = _object(frame)
        except InvalidArgumentError as error:
            return self.unreadable(error)
        name = body.get("type")
        operation = self._operations.get(name) if isinstance(name, str) else None
        own_ids = echoed_ids(body, *OWN_IDS)
        if operation is None:
            unknown = UnimplementedError("UNKNOWN_TYPE", "there is no such type")
            return Request(Reference(own_ids), _UNKNOWN, Reject(unknown))
        reference = Reference(own_ids, operation.names, operation.reply_type)
        try:
            check_claims(body, session.identity, views.our_role)
            return Request(reference, str(name), operation.command(read(body, operation.form), session))
        except AppError as error:
            return Request(reference, str(name), Reject(error))

    def unreadable(self, error: AppError) -> Request:
        """Returns the request that stands for a frame without text."""
        return Request(Reference(), _UNKNOWN, Malformed(error))

    def _user_join(self, _: schemas.UserJoin, session: Session) -> Command:
        async def run(client: UserClient) -> Result:
            await session.wait_ready()
            await self._presence_cache.wait_synced(client.identity.organization_id)
            known = await self._user_cache.get(client.identity.organization_id, self._online(client.identity))
            online = self._online(client.identity)  # the client had events for all changes during the lookup
            users = [views.user(known[user_id], role) for user_id, role in online.items() if user_id in known]
            return {"type": "joined", "userId": format_id(client.identity.user_id), "users": users}

        return CallUpstream(run)

    def _online(self, identity: Identity) -> dict[str, str]:
        """Returns the roles of the online users by id; a user who is joining is online."""
        online = {event.presence.user_id: ROLES.name(event.role) for event in self._presence_cache.online(identity)}
        return {**online, identity.user_id: identity.role}

    def _join_room(self, form: schemas.JoinRoom, _: Session) -> Command:
        """Joins a room; finds it each time, so that a user who left it enters it again."""
        room = parse_id(form.room_id)

        async def find(client: UserClient) -> str:
            if len(room) == _ID_LENGTH:
                request = GetConversationRequest(conversation_id=room)
                get = client.upstreams.conversations.GetConversation
                try:
                    return (await client.call(get, request, conversation_id=room)).conversation.conversation_id
                except NotFoundError:
                    pass  # the name of a room may have the length of an id
            join = JoinRoomRequest(external_ref=room, name=form.room_name)
            response = await client.call(client.upstreams.conversations.JoinRoom, join)
            return response.conversation.conversation_id

        return ResolveConversation(
            (_ROOM, room), find, lambda conversation_id: self._room_joined(room, conversation_id), refresh=True
        )

    def _room_joined(self, room: str, conversation_id: str) -> CallUpstream:
        async def run(client: UserClient) -> Result:
            request = GetConversationRequest(conversation_id=conversation_id)
            get = client.upstreams.conversations.GetConversation
            conversation = (await client.call(get, request, conversation_id=conversation_id)).conversation
            page = await page_before(client, conversation_id, None, schemas.LOADED_MESSAGES)
            ids = [member.user_id for member in conversation.members]
            users = await self._user_cache.get(client.identity.organization_id, ids)
            return {
                "type": "room_joined",
                "roomId": format_id(room),
                "roomName": conversation.name,
                "members": [views.user(users[user_id], users[user_id].role) for user_id in ids],
                "messages": await self._messages(client, page.messages),
                "hasMore": page.has_more,
            }

        return CallUpstream(run)

    def _history(self, form: schemas.History, _: Session) -> Command:
        before_seq = None if form.before_seq is UNSET else form.before_seq
        addressee = _addressee(form)

        def then(conversation_id: str) -> CallUpstream:
            async def run(client: UserClient) -> Result:
                page = await page_before(client, conversation_id, before_seq, form.limit)
                messages = await self._messages(client, page.messages)
                return {"type": "history", **addressee, "messages": messages, "hasMore": page.has_more}

            return CallUpstream(run)

        return _resolve(form, then)

    async def _messages(self, client: UserClient, messages: Sequence[Message]) -> list[dict[str, Any]]:
        ids = (message.sender_id for message in messages)
        senders = await self._user_cache.get(client.identity.organization_id, ids)
        return [
            {**views.message_fields(message, senders[message.sender_id].name), "seq": message.seq}
            for message in messages
        ]

    # --- replies and events

    def sent(self, reference: Reference, result: SendResult) -> Payloads:
        """Encodes `sent` if the frame had an own id: a repeated message has no event that would confirm it."""
        if not reference.own_ids:
            return ()
        where = {"messageId": format_id(result.message_id), "timestamp": time_text(result.create_time)}
        return (_encode({"type": "sent", **reference.own_ids, **where}),)

    def done(self, reference: Reference, result: Result) -> Payloads:
        """Encodes a result unless it is empty."""
        if reference.reply_type:
            result = {"type": reference.reply_type, **result}
        return (_encode(result),) if result else ()

    def failed(self, reference: Reference | None, error: AppError) -> Payloads:
        """Encodes `error`; `reference` is None before the client is authenticated."""
        own_ids, names, _ = reference or Reference()
        return (_encode({"type": "error", **json_objects.error_object(renamed(error, names)), **own_ids}),)

    def session_ready(self, session: Session, now: float) -> Payloads:
        """Encodes nothing: `joined` tells the client."""
        return ()

    def session_closing(self, reconnect_after_ms: int) -> Payloads:
        """Encodes nothing: the close code tells the client."""
        return ()

    def session_expiring(self, expires_at: float) -> Payloads:
        """Encodes `session_expiring`, which older front-ends ignore."""
        return (_encode({"type": "session_expiring", "expireTime": time_text_of(expires_at)}),)

    def session_closed(self, close: Close) -> Payloads:
        """Encodes nothing: the close code and its reason tell the client."""
        return ()

    def chat_event(self, event: chat.Event) -> EncodedEvent:
        """Encodes messages, edits, deletions, typing and `read`."""
        return encode_chat_event(self._chat_events, event)

    def notify_event(self, event: notify.Event) -> Payloads:
        """Encodes nothing: the front-end has no notifications."""
        return ()

    def presence_event(self, event: presence.Event, came_or_went: bool) -> EncodedEvent:
        """Encodes `user_online` and `user_offline`, for other users."""
        if not came_or_went:
            return ()
        user_id = event.presence.user_id
        name = "user_online" if is_online(event.presence) else "user_offline"
        encoded = with_names(
            self._user_cache,
            event.organization_id,
            [user_id],
            lambda users: (_encode({"type": name, **views.user(users[user_id], ROLES.name(event.role))}),),
        )

        def to_others(session: Session) -> Payloads | Deferred:
            if session.identity.user_id == user_id:
                return ()
            return payloads_for(session, encoded)

        return to_others


def create_dialect(context: DialectContext) -> Dialect:
    """Creates the dialect."""
    return HelpdeskDialect(context)


def _object(text: str) -> dict[str, Any]:
    try:
        frame = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidArgumentError("MALFORMED_FRAME", "the frame is not JSON") from None
    if not isinstance(frame, dict):
        raise InvalidArgumentError("MALFORMED_FRAME", "the frame is not a JSON object")
    return frame


def _message_changed(name: str, message: Message) -> EncodedEvent:
    """Encodes an edited or deleted message, which older front-ends ignore."""
    changed = max(message.create_time, message.edit_time, message.delete_time, key=Timestamp.ToMilliseconds)
    body = {
        "type": name,
        "messageId": format_id(message.message_id),
        "conversationId": format_id(message.conversation_id),
        "content": text_of(message),
        "timestamp": time_text(changed),
        **reaction_fields(message),
    }
    return (_encode(body),)


# --- commands


def _message(form: schemas.DirectMessage, _: Session) -> Command:
    return _send(form, form.content, _USER, parse_id(form.receiver_id))


def _room_message(form: schemas.RoomMessage, _: Session) -> Command:
    return _send(form, form.content, _ROOM, parse_id(form.room_id))


def _send(form: ClientMessageIds, content: str, kind: str, name: str) -> Command:
    if not content.strip():
        raise invalid({"content": "must not be empty"})

    def then(conversation_id: str) -> SendMessage:
        return SendMessage(Draft(conversation_id=conversation_id, client_message_id=form.key, text=content))

    return ResolveConversation((kind, name), _find_direct(name) if kind == _USER else _not_joined, then)


def _refresh(form: schemas.RefreshSessionForm, _: Session) -> Command:
    return RefreshSession(form.access_token)


def _typing_start(form: schemas.Addressed, _: Session) -> Command:
    return _resolve(form, lambda found_id: SendSignal(SetTypingRequest(conversation_id=found_id, active=True)))


def _typing_stop(form: schemas.Addressed, _: Session) -> Command:
    return _resolve(form, lambda found_id: SendSignal(SetTypingRequest(conversation_id=found_id, active=False)))


def _read(form: schemas.Addressed, _: Session) -> Command:
    """Marks up to the last message: chat lowers a seq beyond it."""
    return _resolve(form, lambda found_id: SendSignal(MarkReadRequest(conversation_id=found_id, seq=MAX_INTEGER)))


def _resolve(
    form: schemas.Addressed, then: Callable[[str], SendMessage | SendSignal | CallUpstream]
) -> ResolveConversation:
    """Runs a command in the direct conversation with a user, or in a room. Raises InvalidArgumentError."""
    _addressee(form)
    if form.receiver_id is not UNSET:
        user_id = parse_id(form.receiver_id)
        return ResolveConversation((_USER, user_id), _find_direct(user_id), then)
    return ResolveConversation((_ROOM, parse_id(form.room_id)), _not_joined, then)  # type: ignore[arg-type]  # one is set


def _addressee(form: schemas.Addressed) -> dict[str, Any]:
    """Returns the user or room of a frame, by the front-end's field name. Raises InvalidArgumentError."""
    addressees = {
        name: format_id(parse_id(value))
        for name, value in (("receiverId", form.receiver_id), ("roomId", form.room_id))
        if value is not UNSET
    }
    if len(addressees) != 1:
        raise invalid({"receiverId": "is missing, and roomId as well" if not addressees else "excludes roomId"})
    return addressees


def _find_direct(user_id: str) -> Callable[[UserClient], Awaitable[str]]:
    async def find(client: UserClient) -> str:
        request = GetOrCreateDirectConversationRequest(user_id=user_id)
        response = await client.call(client.upstreams.conversations.GetOrCreateDirectConversation, request)
        return response.conversation.conversation_id

    return find


async def _not_joined(_: UserClient) -> str:
    raise FailedPreconditionError("ROOM_NOT_JOINED", "join the room first")
