"""`helpdesk`: clients and three levels of staff, on bare WebSockets: JSON objects with a `type`.

Its clients name users and rooms instead of conversations; `gateway.sessions.commands.Resolve` finds those.
A room is open to all staff by its name; other groups go by their conversation's id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
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
from gateway.dialects.helpdesk import schemas as forms
from gateway.dialects.helpdesk import views as frames
from gateway.dialects.identity_claims import check_claims
from gateway.dialects.ids import format_id, parse_id, repeated
from gateway.dialects.lookups import with_names
from gateway.dialects.validation import MAX_INTEGER, Form, invalid, read
from gateway.sessions.commands import (
    CallUpstream,
    Command,
    Malformed,
    Reject,
    Request,
    ResolveConversation,
    Result,
    SendMessage,
    SendSignal,
)
from gateway.sessions.commands import UserCalls as Calls
from gateway.sessions.history import page_before
from gateway.sessions.session import Session
from gateway.upstream.presence_cache import is_online
from gateway.upstream.user_cache import UserCache
from gateway.wire import json_objects
from gateway.wire.enum_names import ROLES
from gateway.wire.field_errors import renamed
from gateway.wire.timestamps import time_text

NAME: Final = "helpdesk"
_JOIN: Final = "user_join"
_UNKNOWN: Final = "unknown"
_ROOM: Final = "room"
_USER: Final = "user"
_ID_LENGTH: Final = 22
_NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})
_OF_A_USER: Final[Mapping[str, str]] = MappingProxyType({"userId": "receiverId"})
_encode: Final = msgspec.json.Encoder().encode


class Operation(NamedTuple):
    """One type of frame.

    Attributes:
        form: what its fields are.
        command: makes the command of a frame. Raises InvalidArgumentError.
        names: what its fields are called here that services complain of by other names.
    """

    form: type[Form]
    command: Callable[[Any], Command]
    names: Mapping[str, str] = _NO_NAMES


class Reference(NamedTuple):
    """How an answer finds its frame.

    Attributes:
        own_ids: the front-end's own ids of it, where it has some.
        names: see Operation.
    """

    own_ids: Mapping[str, Any] = _NO_NAMES
    names: Mapping[str, str] = _NO_NAMES


class HelpdeskDialect:
    """The dialect."""

    name = NAME
    endpoint = WebSocketEndpoint("/helpdesk", auth_in_first_frame=True)
    is_legacy = True

    def __init__(self, context: DialectContext) -> None:
        self._user_cache: UserCache = context.people
        self._presence_cache = context.presence_cache
        self._operations = {
            _JOIN: Operation(forms.UserJoin, self._user_join),
            "message": Operation(forms.DirectMessage, _message, {"text": "content", "userId": "receiverId"}),
            "typing_start": Operation(forms.Addressed, lambda form: _typing(form, active=True), _OF_A_USER),
            "typing_stop": Operation(forms.Addressed, lambda form: _typing(form, active=False), _OF_A_USER),
            "join_room": Operation(forms.JoinRoom, self._join_room, {"externalRef": "roomId", "name": "roomName"}),
            "room_message": Operation(forms.RoomMessage, _room_message, {"text": "content"}),
            "history": Operation(forms.History, self._history, _OF_A_USER),
            "read": Operation(forms.Addressed, _read, _OF_A_USER),
        }
        self._chat_events: ChatEncoders = {
            "message_created": frames.message_created,
            "message_updated": lambda happened: self._changed("message_updated", happened.message_updated.message),
            "message_deleted": lambda happened: self._changed("message_deleted", happened.message_deleted.message),
            "conversation_created": frames.nothing,
            "conversation_updated": frames.nothing,
            "member_added": frames.nothing,
            "member_removed": frames.nothing,
            "member_updated": frames.nothing,
            "receipt_updated": frames.receipt_updated,
            "typing_updated": frames.typing_updated,
        }

    def new_state(self) -> None:
        """Nothing is to be remembered."""

    # --- frames that come

    def token_from(self, text: str) -> str:
        """The token in a `user_join`; empty where it has none. Raises AppError for any other frame."""
        frame = _object(text)
        if frame.get("type") != _JOIN:
            raise FailedPreconditionError("NOT_JOINED", "nothing is taken before user_join")
        token = frame.get("token")
        return token.removeprefix("Bearer ") if isinstance(token, str) else ""

    def decode(self, frame: str, session: Session) -> Request:
        """Reads the text of a frame; never raises."""
        try:
            body = _object(frame)
        except InvalidArgumentError as error:
            return self.unreadable(error)
        name = body.get("type")
        operation = self._operations.get(name) if isinstance(name, str) else None
        own_ids = repeated(body, *OWN_IDS)
        if operation is None:
            unknown = UnimplementedError("UNKNOWN_TYPE", "there is no such type")
            return Request(Reference(own_ids), _UNKNOWN, Reject(unknown))
        reference = Reference(own_ids, operation.names)
        try:
            check_claims(body, session.identity, frames.our_role)
            return Request(reference, str(name), operation.command(read(body, operation.form)))
        except AppError as error:
            return Request(reference, str(name), Reject(error))

    def unreadable(self, error: AppError) -> Request:
        """The request that stands for a frame without text."""
        return Request(Reference(), _UNKNOWN, Malformed(error))

    def _user_join(self, _: forms.UserJoin) -> Command:
        async def run(calls: Calls) -> Result:
            await calls.wait_ready()
            await self._presence_cache.wait_synced(calls.identity.organization_id)
            people = await self._user_cache.get(calls.identity.organization_id, self._here(calls.identity))
            here = self._here(calls.identity)  # who has gone meanwhile was told of; who has come, too
            users = [frames.user(people[user_id], role) for user_id, role in here.items() if user_id in people]
            return {"type": "joined", "userId": format_id(calls.identity.user_id), "users": users}

        return CallUpstream(run)

    def _here(self, identity: Identity) -> dict[str, str]:
        """The roles of those who are here, by user id; one who is joining is, too."""
        here = {found.presence.user_id: ROLES.name(found.role) for found in self._presence_cache.online(identity)}
        return {**here, identity.user_id: identity.role}

    def _join_room(self, form: forms.JoinRoom) -> Command:
        """The room is found anew each time: whoever left it enters it again."""
        room = parse_id(form.room_id)

        async def find(calls: Calls) -> str:
            if len(room) == _ID_LENGTH:
                request = GetConversationRequest(conversation_id=room)
                get = calls.upstreams.conversations.GetConversation
                try:
                    return (await calls.call(get, request, conversation_id=room)).conversation.conversation_id
                except NotFoundError:
                    pass  # a room may have a name that is as long
            join = JoinRoomRequest(external_ref=room, name=form.room_name)
            response = await calls.call(calls.upstreams.conversations.JoinRoom, join)
            return response.conversation.conversation_id

        return ResolveConversation(
            (_ROOM, room), find, lambda conversation_id: self._joined(room, conversation_id), True
        )

    def _joined(self, room: str, conversation_id: str) -> CallUpstream:
        async def run(calls: Calls) -> Result:
            request = GetConversationRequest(conversation_id=conversation_id)
            get = calls.upstreams.conversations.GetConversation
            conversation = (await calls.call(get, request, conversation_id=conversation_id)).conversation
            page = await page_before(calls, conversation_id, None, forms.LOADED_MESSAGES)
            ids = [member.user_id for member in conversation.members]
            people = await self._user_cache.get(calls.identity.organization_id, ids)
            return {
                "type": "room_joined",
                "roomId": format_id(room),
                "roomName": conversation.name,
                "members": [frames.user(people[user_id], people[user_id].role) for user_id in ids],
                "messages": await self._messages(calls, page.messages),
                "hasMore": page.has_more,
            }

        return CallUpstream(run)

    def _history(self, form: forms.History) -> Command:
        before_seq = None if form.before_seq is UNSET else form.before_seq
        addressee = _addressee(form)

        def then(conversation_id: str) -> CallUpstream:
            async def run(calls: Calls) -> Result:
                page = await page_before(calls, conversation_id, before_seq, form.limit)
                messages = await self._messages(calls, page.messages)
                return {"type": "history", **addressee, "messages": messages, "hasMore": page.has_more}

            return CallUpstream(run)

        return _resolve(form, then)

    async def _messages(self, calls: Calls, sent: Any) -> list[dict[str, Any]]:
        people = await self._user_cache.get(calls.identity.organization_id, (one.sender_id for one in sent))
        return [{**frames.said(one, people[one.sender_id].name), "seq": one.seq} for one in sent]

    # --- frames that go

    def sent(self, reference: Reference, receipt: SendResult) -> Payloads:
        """`sent`, where the front-end has an id of its own: the message comes too, but not again for a repeat."""
        if not reference.own_ids:
            return ()
        where = {"messageId": format_id(receipt.message_id), "timestamp": time_text(receipt.create_time)}
        return (_encode({"type": "sent", **reference.own_ids, **where}),)

    def done(self, reference: Reference, result: Result) -> Payloads:
        """What was asked for, where something was."""
        return (_encode(result),) if result else ()

    def failed(self, reference: Reference | None, error: AppError) -> Payloads:
        """`error`."""
        own_ids, names = reference or Reference()
        return (_encode({"type": "error", **json_objects.error_object(renamed(error, names)), **own_ids}),)

    def session_ready(self, session: Session, now: float) -> Payloads:
        """Nothing: `joined` says it."""
        return ()

    def session_closing(self, reconnect_after_ms: int) -> Payloads:
        """Nothing: the code with which the connection is closed says it."""
        return ()

    def chat_event(self, happened: chat.Event) -> EncodedEvent:
        """`message`, `room_message`, `typing_start`, `typing_stop` and `read`."""
        return encode_chat_event(self._chat_events, happened)

    def _changed(self, name: str, message: Message) -> EncodedEvent:
        """An edit or a deletion, which front-ends that don't know it pass over."""
        changed = message.delete_time if message.HasField("delete_time") else message.edit_time
        body = {
            "type": name,
            "messageId": format_id(message.message_id),
            "conversationId": format_id(message.conversation_id),
            "content": message.text,
            "timestamp": time_text(changed),
        }
        return (_encode(body),)

    def notify_event(self, happened: notify.Event) -> Payloads:
        """Nothing: the front-end has no notifications."""
        return ()

    def presence_event(self, happened: presence.Event, came_or_went: bool) -> EncodedEvent:
        """`user_online` and `user_offline`, to the others."""
        if not came_or_went:
            return ()
        user_id = happened.presence.user_id
        name = "user_online" if is_online(happened.presence) else "user_offline"
        speech = with_names(
            self._user_cache,
            happened.organization_id,
            [user_id],
            lambda people: (_encode({"type": name, **frames.user(people[user_id], ROLES.name(happened.role))}),),
        )

        def to_others(session: Session) -> Payloads | Deferred:
            if session.identity.user_id == user_id:
                return ()
            return payloads_for(session, speech)

        return to_others


def create_dialect(context: DialectContext) -> Dialect:
    """This dialect."""
    return HelpdeskDialect(context)


# --- reading


def _object(text: str) -> dict[str, Any]:
    try:
        frame = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidArgumentError("MALFORMED_FRAME", "the frame is not JSON") from None
    if not isinstance(frame, dict):
        raise InvalidArgumentError("MALFORMED_FRAME", "the frame is not a JSON object")
    return frame


# --- what frames ask for


def _message(form: forms.DirectMessage) -> Command:
    return _send(form, form.content, _USER, parse_id(form.receiver_id))


def _room_message(form: forms.RoomMessage) -> Command:
    return _send(form, form.content, _ROOM, parse_id(form.room_id))


def _send(form: ClientMessageIds, content: str, kind: str, name: str) -> Command:
    if not content.strip():
        raise invalid({"content": "must not be empty"})

    def then(conversation_id: str) -> SendMessage:
        return SendMessage(Draft(conversation_id=conversation_id, client_message_id=form.key, text=content))

    return ResolveConversation((kind, name), _direct(name) if kind == _USER else _not_joined, then)


def _typing(form: forms.Addressed, *, active: bool) -> Command:
    return _resolve(form, lambda found: SendSignal(SetTypingRequest(conversation_id=found, active=active)))


def _read(form: forms.Addressed) -> Command:
    """A seq beyond the last message counts as the last."""
    return _resolve(form, lambda found: SendSignal(MarkReadRequest(conversation_id=found, seq=MAX_INTEGER)))


def _resolve(
    form: forms.Addressed, then: Callable[[str], SendMessage | SendSignal | CallUpstream]
) -> ResolveConversation:
    """Does something in the direct conversation with a user, or in a room."""
    _addressee(form)
    if form.receiver_id is not UNSET:
        user_id = parse_id(form.receiver_id)
        return ResolveConversation((_USER, user_id), _direct(user_id), then)
    return ResolveConversation((_ROOM, parse_id(form.room_id)), _not_joined, then)  # type: ignore[arg-type]  # one of them is given


def _addressee(form: forms.Addressed) -> dict[str, Any]:
    """Of whom a frame is, as the front-end calls them. Raises InvalidArgumentError."""
    given = {
        name: format_id(parse_id(value))
        for name, value in (("receiverId", form.receiver_id), ("roomId", form.room_id))
        if value is not UNSET
    }
    if len(given) != 1:
        raise invalid({"receiverId": "is missing, and roomId as well" if not given else "excludes roomId"})
    return given


def _direct(user_id: str) -> Callable[[Calls], Any]:
    async def find(calls: Calls) -> str:
        request = GetOrCreateDirectConversationRequest(user_id=user_id)
        found = await calls.call(calls.upstreams.conversations.GetOrCreateDirectConversation, request)
        return found.conversation.conversation_id

    return find


async def _not_joined(_: Calls) -> str:
    raise FailedPreconditionError("ROOM_NOT_JOINED", "join the room first")
