"""The bodies of the requests of `parley.v1.json`.

They are checked for form (types, lengths), so that a mistake is answered at once and with the field's name. What is
true of the data behind them, the services check.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import UNSET, Meta, UnsetType, field

from gateway.dialects.validation import MAX_INTEGER, Form, Id

TEXT_BYTES: Final = 16 * 1024
"""The longest text; counted in characters here, in bytes of UTF-8 by chat."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Description = Annotated[str, Meta(max_length=2_000)]
Reference = Annotated[str, Meta(max_length=200)]
EnumName = Annotated[str, Meta(min_length=1, max_length=50)]
Text = Annotated[str, Meta(max_length=TEXT_BYTES)]
Time = Annotated[str, Meta(min_length=1, max_length=40)]
PageSize = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
PageToken = Annotated[str, Meta(max_length=2_000)]
Counted = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
CountedFromZero = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Token = Annotated[str, Meta(min_length=1, max_length=8_192)]


class Nothing(Form):
    """No fields."""


class UserSearch(Form):
    """`user.search`."""

    query: Annotated[str, Meta(max_length=200)]
    page_size: PageSize = 0
    page_token: PageToken = ""


class OneUser(Form):
    """Names a user."""

    user_id: Id


class OneConversation(Form):
    """Names a conversation."""

    conversation_id: Id


class ConversationCreate(Form):
    """`conversation.create`."""

    kind: EnumName
    name: Name
    member_ids: Annotated[list[Id], Meta(max_length=4_999)]
    description: Description = ""
    external_ref: Reference = ""


class ConversationList(Form):
    """`conversation.list`."""

    kind: EnumName | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    updated_after: Time | UnsetType = UNSET
    page_size: PageSize = 0
    page_token: PageToken = ""


class ConversationUpdate(Form):
    """`conversation.update`: a `mutedUntil` of null ends the muting."""

    conversation_id: Id
    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    tags: Annotated[list[Annotated[str, Meta(min_length=1, max_length=50)]], Meta(max_length=20)] | UnsetType = UNSET
    muted_until: Time | UnsetType | None = UNSET


class MemberAdd(Form):
    """`member.add`."""

    conversation_id: Id
    user_ids: Annotated[list[Id], Meta(min_length=1, max_length=4_999)]


class MemberRemove(Form):
    """`member.remove`."""

    conversation_id: Id
    user_id: Id


class MemberUpdate(Form):
    """`member.update`."""

    conversation_id: Id
    user_id: Id
    role: EnumName


class Attachment(Form):
    """Something that a message carries by reference."""

    url: Annotated[str, Meta(min_length=1, max_length=2_000)]
    name: Annotated[str, Meta(max_length=200)] = ""
    content_type: Annotated[str, Meta(max_length=100)] = ""
    size_bytes: CountedFromZero = 0


class MessageSend(Form):
    """`message.send`."""

    conversation_id: Id
    client_message_id: Id
    text: Text
    kind: EnumName = "text"
    reply_to: Annotated[str, Meta(max_length=64)] = ""
    mentions: Annotated[list[Id], Meta(max_length=50)] = field(default_factory=list)
    attachments: Annotated[list[Attachment], Meta(max_length=20)] = field(default_factory=list)


class MessageList(Form):
    """`message.list`."""

    conversation_id: Id
    before_seq: Counted | UnsetType = UNSET
    after_seq: CountedFromZero | UnsetType = UNSET
    page_size: PageSize = 0


class MessageSync(Form):
    """`message.sync`."""

    conversation_id: Id
    after_rev: CountedFromZero
    page_size: PageSize = 0


class MessageEdit(Form):
    """`message.edit`."""

    conversation_id: Id
    message_id: Id
    text: Text


class MessageDelete(Form):
    """`message.delete`."""

    conversation_id: Id
    message_id: Id


class UpToSeq(Form):
    """`receipt.read` and `receipt.delivered`."""

    conversation_id: Id
    seq: Counted


class TypingSet(Form):
    """`typing.set`."""

    conversation_id: Id
    active: bool


class PresenceSet(Form):
    """`presence.set`: a status and a text, or whether the user is away from the device."""

    status: EnumName | UnsetType = UNSET
    text: Annotated[str, Meta(max_length=140)] | UnsetType = UNSET
    idle: bool | UnsetType = UNSET


class PresenceGet(Form):
    """`presence.get`."""

    user_ids: Annotated[list[Id], Meta(max_length=200)]


class NotificationList(Form):
    """`notification.list`."""

    unread_only: bool = False
    type: EnumName | UnsetType = UNSET
    page_size: PageSize = 0
    page_token: PageToken = ""


class OneNotification(Form):
    """Names a notification."""

    notification_id: Id


class PreferencesSet(Form):
    """`notification.preferences.set`: the types that make no notification; replaces the stored ones."""

    muted_types: Annotated[list[EnumName], Meta(max_length=50)]


class SessionRefresh(Form):
    """`session.refresh`."""

    access_token: Token
