"""A conversation as chat publishes it, with the simplest model of its members' notifications."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from services.notify.folding import (
    DELETED_TEXT,
    ChatEvent,
    MemberJoined,
    MemberLeft,
    MessageRevised,
    MessageSent,
    MessagesRead,
)

ORGANIZATION = "acme"
CONVERSATION = "conversation-1"
NAME = "Sales"
START_MS = 1_700_000_000_000


@dataclass
class Member:
    """The model of one member's notification: the unread seqs, when events are applied one by one in order."""

    present: bool = True
    listed: bool = False
    unread: set[int] = field(default_factory=set)

    def read_up_to(self, seq: int) -> None:
        """Removes unread seqs up to `seq`."""
        self.unread = {unread for unread in self.unread if unread > seq}


class Conversation:
    """Records events in the order in which they happen, as chat does."""

    def __init__(self, users: Collection[str]) -> None:
        self.members = {user: Member() for user in users}
        self.texts: list[str] = []
        self.senders: list[str] = []
        self.mentioned: set[tuple[int, str]] = set()
        self.events: list[ChatEvent] = []
        self.rev = 1

    @property
    def seq(self) -> int:
        """The seq of the latest message."""
        return len(self.texts)

    @property
    def present(self) -> tuple[str, ...]:
        """The current members."""
        return tuple(user for user, member in self.members.items() if member.present)

    def send(self, sender: str, muted: Collection[str] = (), mentions: Collection[str] = ()) -> None:
        """A member sends a message while the members in `muted` have muted the conversation."""
        self.rev += 1
        self.senders.append(sender)
        self.texts.append(f"text {self.seq + 1}")
        present = self.present
        muting = tuple(user for user in present if user in muted)
        self.events.append(
            MessageSent(
                organization_id=ORGANIZATION,
                conversation_id=CONVERSATION,
                message_id=f"message-{self.seq}",
                seq=self.seq,
                rev=self.rev,
                sender_id=sender,
                sender_name=f"Name of {sender}",
                conversation_name=NAME,
                text=self.texts[-1],
                time_ms=START_MS + self.seq,
                recipients=present,
                muted=muting,
                mentions=tuple(mentions),
            )
        )
        for user in present:
            self._receive(user, silent=user == sender or user in muting, mentioned=user in mentions and user != sender)

    def _receive(self, user: str, *, silent: bool, mentioned: bool) -> None:
        member = self.members[user]
        if mentioned:
            self.mentioned.add((self.seq, user))
        if silent:
            member.read_up_to(self.seq)
            return
        member.listed = True
        member.unread.add(self.seq)

    def revise(self, seq: int, *, delete: bool) -> None:
        """A message is edited or deleted."""
        self.rev += 1
        self.texts[seq - 1] = DELETED_TEXT if delete else f"{self.texts[seq - 1]}+"
        self.events.append(
            MessageRevised(
                organization_id=ORGANIZATION,
                conversation_id=CONVERSATION,
                message_id=f"message-{seq}",
                seq=seq,
                rev=self.rev,
                sender_id=self.senders[seq - 1],
                text=self.texts[seq - 1],
                recipients=self.present,
                deleted=delete,
            )
        )

    def read(self, user: str, seq: int) -> None:
        """A member reads up to a message."""
        self.members[user].read_up_to(seq)
        self.events.append(MessagesRead(ORGANIZATION, CONVERSATION, user, seq))

    def remove(self, user: str) -> None:
        """A member leaves."""
        self.rev += 1
        self.members[user] = Member(present=False)
        self.events.append(MemberLeft(ORGANIZATION, CONVERSATION, user, self.rev))

    def add(self, user: str, actor: str) -> None:
        """A user joins, perhaps again: earlier messages count as read."""
        self.rev += 1
        self.members[user] = Member()
        time_ms = START_MS + self.seq
        self.events.append(
            MemberJoined(ORGANIZATION, CONVERSATION, NAME, user, actor, self.rev, read_seq=self.seq, time_ms=time_ms)
        )
