"""Validates the fields of requests."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from parley.chat.v1 import chat_pb2, conversation_pb2, message_pb2

from chassis.rpc.validation import FieldChecks
from services.chat import convert
from services.chat.domain import MAX_MEMBERS, MAX_TEXT_BYTES, ConversationKind, MessageKind

_MAX_ATTACHMENTS: Final = 20
_MAX_MENTIONS: Final = 50
_MAX_NAME: Final = 200
_MAX_URL: Final = 2_000
_MAX_TAGS: Final = 20
_SURELY_SHORT: Final = MAX_TEXT_BYTES // 4  # UTF-8 takes at most 4 bytes per character
_SENDABLE_KINDS: Final = frozenset({0, *MessageKind}) - {MessageKind.SYSTEM}  # 0: unset, text by default
_CREATABLE_KINDS: Final = frozenset({chat_pb2.CONVERSATION_KIND_GROUP, chat_pb2.CONVERSATION_KIND_PROJECT})
_FIRST_SECOND: Final = -62_135_596_800  # of the year 1
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999
_NANOS: Final = 1_000_000_000
UPDATABLE: Final = frozenset({"name", "description", "archived", "tags", "muted_until_time"})


def check_conversation_id(checks: FieldChecks, value: str) -> None:
    """Checks a conversation id's length. An id in another format than ours names no conversation; reading it fails."""
    checks.text("conversationId", value, at_least=1, at_most=64)


def check_request_id(checks: FieldChecks, value: str) -> None:
    """Checks a request id's length."""
    checks.request_id(value)


def check_external_ref(checks: FieldChecks, value: str) -> None:
    """Checks the length of a reference, which may be empty."""
    checks.text("externalRef", value, at_most=_MAX_NAME)


def check_message_id(checks: FieldChecks, value: str, field: str = "messageId") -> None:
    """Checks a message id's length."""
    checks.text(field, value, at_least=1, at_most=64)


def check_time(checks: FieldChecks, field: str, time: Timestamp) -> None:
    """Checks that a Timestamp is within the range that its specification allows."""
    within = _FIRST_SECOND <= time.seconds <= _LAST_SECOND and 0 <= time.nanos < _NANOS
    checks.require(within, field, "must be a time in the years 1 to 9999")


def check_text(checks: FieldChecks, text: str, *, may_be_blank: bool) -> None:
    """Checks a message's text."""
    checks.require(may_be_blank or not (text.isspace() or not text), "text", "must not be empty")
    if len(text) > _SURELY_SHORT:
        length = len(text.encode())
        checks.require(length <= MAX_TEXT_BYTES, "text", f"must have at most {MAX_TEXT_BYTES} bytes of UTF-8")


def check_draft(draft: message_pb2.Draft) -> None:
    """Validates a draft. Raises InvalidArgumentError."""
    checks = FieldChecks()
    check_conversation_id(checks, draft.conversation_id)
    checks.text("clientMessageId", draft.client_message_id, at_least=1, at_most=64)
    check_text(checks, draft.text, may_be_blank=bool(draft.attachments))
    checks.require(draft.kind in _SENDABLE_KINDS, "kind", "must be text, image, file, audio or link")
    if draft.reply_to:
        check_message_id(checks, draft.reply_to, "replyTo")
    if draft.mentions:
        checks.require(len(draft.mentions) <= _MAX_MENTIONS, "mentions", f"must have at most {_MAX_MENTIONS} entries")
        for user_id in draft.mentions:
            checks.user_id("mentions", user_id)
    if draft.attachments:
        most = f"must have at most {_MAX_ATTACHMENTS} entries"
        checks.require(len(draft.attachments) <= _MAX_ATTACHMENTS, "attachments", most)
        for attachment in draft.attachments:
            _check_attachment(checks, attachment)
    checks.done()


def _check_attachment(checks: FieldChecks, attachment: chat_pb2.Attachment) -> None:
    is_web = attachment.url.startswith(("https://", "http://")) and len(attachment.url) <= _MAX_URL
    checks.require(is_web, "attachments", f"must have http or https URLs of at most {_MAX_URL} characters")
    for part, value, limit in (("names", attachment.name, 200), ("media types", attachment.content_type, 100)):
        checks.require(len(value) <= limit, "attachments", f"must have {part} of at most {limit} characters")
    checks.require(attachment.size_bytes >= 0, "attachments", "must have sizes of at least 0")


def check_creation(request: conversation_pb2.CreateConversationRequest) -> ConversationKind:
    """Validates a request to create a conversation, and returns its kind. Raises InvalidArgumentError."""
    checks = FieldChecks()
    checks.require(request.kind in _CREATABLE_KINDS, "kind", "must be group or project")
    _check_settings(checks, request.name, request.description)
    if request.kind == chat_pb2.CONVERSATION_KIND_PROJECT:
        _check_name(checks, "externalRef", request.external_ref)
    else:
        check_external_ref(checks, request.external_ref)
    distinct = set(request.member_ids)
    checks.require(len(distinct) < MAX_MEMBERS, "memberIds", f"must have fewer than {MAX_MEMBERS} entries")
    for user_id in request.member_ids:
        checks.user_id("memberIds", user_id)
    check_request_id(checks, request.request_id)
    checks.done()
    return ConversationKind(request.kind)


def check_room(external_ref: str, name: str) -> None:
    """Validates a request to join a room. Raises InvalidArgumentError."""
    checks = FieldChecks()
    _check_name(checks, "externalRef", external_ref)
    if name:
        _check_name(checks, "name", name)
    checks.done()


def _check_settings(checks: FieldChecks, name: str, description: str) -> None:
    _check_name(checks, "name", name)
    checks.text("description", description, at_most=2_000)


def _check_name(checks: FieldChecks, field: str, value: str) -> None:
    checks.text(field, value, at_least=1, at_most=_MAX_NAME)
    checks.require(not value or bool(value.strip()), field, "must not be blank")


def settings_of(conversation: chat_pb2.Conversation, paths: Collection[str]) -> dict[str, object]:
    """Validates an update and returns its settings, without muted_until_time. Raises InvalidArgumentError."""
    checks = FieldChecks()
    check_conversation_id(checks, conversation.conversation_id)
    unknown = [path for path in paths if path not in UPDATABLE]
    checks.require(not unknown, "updateMask", f"must only name fields among {', '.join(sorted(UPDATABLE))}")
    name = conversation.name if "name" in paths else "-"
    _check_settings(checks, name, conversation.description if "description" in paths else "")
    if "tags" in paths:
        checks.require(len(conversation.tags) <= _MAX_TAGS, "tags", f"must have at most {_MAX_TAGS} entries")
        for tag in conversation.tags:
            checks.text("tags", tag, at_least=1, at_most=50)
    checks.done()
    settings: dict[str, object] = {
        path: getattr(conversation, path) for path in ("name", "description", "archived") if path in paths
    }
    if "tags" in paths:
        settings["tags"] = tuple(dict.fromkeys(conversation.tags))
    return settings


def muted_until_ms(conversation: chat_pb2.Conversation, paths: Collection[str]) -> int | None:
    """Returns the time until which an update mutes: 0 to unmute, None to leave it. Raises InvalidArgumentError."""
    if "muted_until_time" not in paths:
        return None
    checks = FieldChecks()
    check_time(checks, "mutedUntil", conversation.muted_until_time)
    checks.done()
    return convert.milliseconds(conversation.muted_until_time) if conversation.HasField("muted_until_time") else 0


def check_user_ids(field: str, user_ids: Collection[str]) -> None:
    """Validates a list of users. Raises InvalidArgumentError."""
    checks = FieldChecks()
    checks.require(bool(user_ids), field, "must not be empty")
    checks.require(len(set(user_ids)) < MAX_MEMBERS, field, f"must have fewer than {MAX_MEMBERS} entries")
    for user_id in user_ids:
        checks.user_id(field, user_id)
    checks.done()


def check_mark(conversation_id: str, seq: int) -> None:
    """Validates a receipt. Raises InvalidArgumentError."""
    checks = FieldChecks()
    check_conversation_id(checks, conversation_id)
    checks.require(seq >= 1, "seq", "must be at least 1")
    checks.done()
