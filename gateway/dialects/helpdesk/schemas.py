"""Schemas of the frames that clients of the helpdesk send."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import UNSET, Meta, UnsetType

from gateway.dialects.client_message_ids import ClientMessageIds
from gateway.dialects.ids import AnyId
from gateway.dialects.native.schemas import TEXT_BYTES
from gateway.dialects.validation import MAX_INTEGER, AccessToken, Form

LOADED_MESSAGES: Final = 50

Content = Annotated[str, Meta(max_length=TEXT_BYTES)]
RoomId = Annotated[str, Meta(min_length=1, max_length=200)] | Annotated[int, Meta(ge=0, le=MAX_INTEGER)]


class UserJoin(Form):
    """`user_join`; the token decides who the user is, and `check_claims` has compared the claims."""

    user_id: AnyId | UnsetType = UNSET
    user_name: Annotated[str, Meta(max_length=200)] = ""
    user_role: Annotated[str, Meta(max_length=50)] = ""
    token: Annotated[str, Meta(max_length=8_192)] = ""


class DirectMessage(ClientMessageIds):
    """`message`; a time that the client sends is ignored."""

    receiver_id: AnyId
    content: Content


class RoomMessage(ClientMessageIds):
    """`room_message`."""

    room_id: RoomId
    content: Content


class JoinRoom(Form):
    """`join_room`."""

    room_id: RoomId
    room_name: Annotated[str, Meta(max_length=200)] = ""


class RefreshSessionForm(Form):
    """`refresh_session`."""

    access_token: AccessToken


class Addressed(Form):
    """`typing_start`, `typing_stop`, `read`: addressed to a user or to a room."""

    receiver_id: AnyId | UnsetType = UNSET
    room_id: RoomId | UnsetType = UNSET


class History(Addressed):
    """`history`."""

    before_seq: Annotated[int, Meta(ge=1, le=MAX_INTEGER)] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=200)] = LOADED_MESSAGES
