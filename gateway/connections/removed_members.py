"""Who was removed from a conversation while connected here: they hear no more of its receipts and typing.

A replica of chat that has not heard of a removal yet may still name them there. That is remembered for as long as a
user stays, and no longer: of one who comes anew, events that made them a member again may not have come here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from parley.chat.v1 import event_pb2 as chat

_SIGNALS: Final = frozenset({"receipt_updated", "typing_updated"})


class Removals:
    """The conversations that users were removed from."""

    def __init__(self) -> None:
        self._of_user: dict[tuple[str, str], set[str]] = {}

    def forget(self, organization_id: str, user_id: str) -> None:
        """Forgets what a user was removed from."""
        self._of_user.pop((organization_id, user_id), None)

    def to_tell(self, event: chat.Event, kind: str | None, connected: Collection[str]) -> Iterable[str]:
        """Notes who comes and goes by an event; gives those whom it is for.

        Args:
            event: what happened.
            kind: the name of its payload.
            connected: the users of its organization who are here.
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
