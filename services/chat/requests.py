"""Reads requests, and checks what the contract's options cannot state."""

from __future__ import annotations

from typing import Final

from parley.chat.v1 import conversation_pb2, message_pb2, schedule_pb2

from chassis.contract.validator import invalid_fields, validate
from services.chat import convert
from services.chat.domain import ConversationKind, MessageKind
from services.chat.emojis import qualified
from services.chat.message_data import problems_of

_PLAIN_ID_CHARACTERS: Final = 64
_PLAIN_TEXT_CHARACTERS: Final = 4_096  # 16,384 bytes of UTF-8 at the most
_PLAIN_KINDS: Final = frozenset(
    {0, MessageKind.TEXT, MessageKind.IMAGE, MessageKind.FILE, MessageKind.AUDIO, MessageKind.LINK}
)
"""The kinds that need neither data nor attachments; 0 is unset, text by default."""
_WEB: Final = ("https://", "http://")


def check_draft(draft: message_pb2.Draft) -> None:
    """Checks a draft. Raises InvalidArgumentError (INVALID_FIELDS).

    Most drafts are plain ones, and every message takes this path: to recognize them takes a fifth of the time that the
    contract's validator needs, which sees the others only.
    """
    if _is_plain(draft):
        return
    validate(draft)
    data = convert.data_of(draft)
    if problems := problems_of(draft.kind, data, len(draft.attachments)):
        raise invalid_fields(problems)
    if not draft.attachments and data is None and (not draft.text or draft.text.isspace()):
        raise invalid_fields({"text": "must not be blank unless there are attachments or data"})
    if not all(attachment.url.startswith(_WEB) for attachment in draft.attachments):
        raise invalid_fields({"attachments": "must have http or https URLs"})


def _is_plain(draft: message_pb2.Draft) -> bool:
    """Reports whether a draft is surely valid: a short text without references."""
    text = draft.text
    return (
        0 < len(text) <= _PLAIN_TEXT_CHARACTERS
        and not text.isspace()
        and 0 < len(draft.conversation_id) <= _PLAIN_ID_CHARACTERS
        and 0 < len(draft.client_message_id) <= _PLAIN_ID_CHARACTERS
        and draft.kind in _PLAIN_KINDS
        and not draft.reply_to
        and not draft.mentions
        and not draft.attachments
        and not draft.HasField("data")
    )


def emoji_of(text: str) -> str:
    """Returns a reaction's emoji in its only form. Raises InvalidArgumentError (INVALID_FIELDS) if it is none."""
    emoji = qualified(text)
    if not emoji:
        raise invalid_fields({"emoji": "must be one emoji of Unicode's list"})
    return emoji


def new_text(request: schedule_pb2.RescheduleMessageRequest) -> str | None:
    """Returns the new text of a scheduled message, None to keep it. Raises InvalidArgumentError if it is empty."""
    if not request.HasField("text"):
        return None
    if not request.text:
        raise invalid_fields({"text": "must have 1 to 16,384 bytes of UTF-8"})
    return request.text


def new_kind(request: conversation_pb2.CreateConversationRequest) -> ConversationKind:
    """Returns the kind of a new conversation. Raises InvalidArgumentError if a project has no external_ref."""
    kind = ConversationKind(request.kind)
    if kind is ConversationKind.PROJECT and not request.external_ref.strip():
        raise invalid_fields({"externalRef": "must not be blank for a project"})
    return kind


def settings_of(request: conversation_pb2.UpdateConversationRequest) -> dict[str, object]:
    """Returns the settings that an update changes, without muted_until_time."""
    conversation, paths = request.conversation, request.update_mask.paths
    settings: dict[str, object] = {
        path: getattr(conversation, path) for path in ("name", "description", "archived") if path in paths
    }
    if "tags" in paths:
        settings["tags"] = tuple(dict.fromkeys(conversation.tags))
    return settings


def muted_until_ms(request: conversation_pb2.UpdateConversationRequest) -> int | None:
    """Returns the time until which an update mutes: 0 to unmute, None to leave it."""
    if "muted_until_time" not in request.update_mask.paths:
        return None
    conversation = request.conversation
    return convert.milliseconds(conversation.muted_until_time) if conversation.HasField("muted_until_time") else 0
