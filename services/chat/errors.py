"""Errors that several use cases raise."""

from __future__ import annotations

from chassis.errors import FailedPreconditionError, NotFoundError, PermissionDeniedError
from services.chat.domain import Message


def not_found() -> NotFoundError:
    """The conversation does not exist, or belongs to another organization."""
    return NotFoundError("CONVERSATION_NOT_FOUND", "no such conversation")


def not_a_member() -> PermissionDeniedError:
    """The caller is not a member of the conversation, which is in the caller's organization."""
    return PermissionDeniedError("NOT_A_MEMBER", "you are not a member of this conversation")


def not_a_manager() -> PermissionDeniedError:
    """The operation requires an owner or admin of the group."""
    return PermissionDeniedError("NOT_AN_ADMIN", "only an owner or admin of the conversation may do this")


def message_not_found() -> NotFoundError:
    """The message is not in the conversation."""
    return NotFoundError("MESSAGE_NOT_FOUND", "no such message in this conversation")


def require_present(message: Message) -> None:
    """Raises FailedPreconditionError (MESSAGE_DELETED) for a tombstone."""
    if message.delete_ms:
        raise FailedPreconditionError("MESSAGE_DELETED", "the message was deleted")
