"""Remembers the conversations that connected users were removed from, and withholds their receipts and typing signals.

A replica of chat that has not processed a removal yet may still list the user as a recipient. The memory lasts while
the user stays connected, and no longer: a user who reconnects may have been added again without an event here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from parley.chat.v1 import event_pb2 as chat

_SIGNALS: Final = frozenset({"receipt_updated", "typing_updated"})


class RemovedMembers:
    """The conversations that connected users were removed from."""

    def __init__(self) -> None:
        self._of_user: dict[tuple[str, str], set[str]] = {}

    def forget(self, organization_id: str, user_id: str) -> None:
        """Forgets the conversations that a user was removed from."""
        self._of_user.pop((organization_id, user_id), None)

    def recipients(self, event: chat.Event, kind: str | None, connected: Collection[str]) -> Iterable[str]:
        """Returns the users to deliver an event to, and records removals and additions.

        Args:
            event: the event.
            kind: the name of its payload.
            connected: the connected users of its organization.
        """
        organization_id = event.organization_id
        if kind == "member_removed":
            removed = event.member_removed
            if removed.member.user_id in connected:
                key = (organization_id, removed.member.user_id)
                self._of_user.setdefault(key, set()).add(removed.conversation_id)
        elif self._of_user and kind == "conversation_created":
            for user_id in event.recipients:
                conversations = self._of_user.get((organization_id, user_id), set())
                conversations.discard(event.conversation_created.conversation.conversation_id)
        elif self._of_user and kind in _SIGNALS:
            conversation_id = getattr(event, kind).conversation_id
            return [
                user_id
                for user_id in event.recipients
                if conversation_id not in self._of_user.get((organization_id, user_id), ())
            ]
        return event.recipients
