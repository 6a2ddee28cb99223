"""The errors that several use cases refuse with, so that each reads the same wherever it comes from."""

from __future__ import annotations

from chassis.errors import NotFoundError, PermissionDeniedError


def not_found() -> NotFoundError:
    """For conversations that there are not, and for those of other organizations alike."""
    return NotFoundError("CONVERSATION_NOT_FOUND", "there is no such conversation")


def not_a_member() -> PermissionDeniedError:
    """For conversations of the caller's organization that the caller is not in, or no longer."""
    return PermissionDeniedError("NOT_A_MEMBER", "you are not in this conversation")


def not_a_manager() -> PermissionDeniedError:
    """For what takes an owner or admin of a group."""
    return PermissionDeniedError("NOT_AN_ADMIN", "this takes an owner or admin of the conversation")


def message_not_found() -> NotFoundError:
    """For messages that are not in the conversation."""
    return NotFoundError("MESSAGE_NOT_FOUND", "there is no such message in this conversation")
