"""A conversation as chat tells of it, and beside it, in the plainest way, what its members should be notified of."""

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
    """What one user should be notified of: the seqs they are still to hear of, as they happen, one after the other."""

    present: bool = True
    listed: bool = False
    unread: set[int] = field(default_factory=set)

    def read_up_to(self, seq: int) -> None:
        """Nothing up to a seq is unread any more."""
        self.unread = {unread for unread in self.unread if unread > seq}


class Conversation:
    """Makes events in the order in which they happen, as chat does."""

    def __init__(self, users: Collection[str]) -> None:
        self.members = {user: Member() for user in users}
        self.texts: list[str] = []
        self.senders: list[str] = []
        self.mentioned: set[tuple[int, str]] = set()
        self.events: list[ChatEvent] = []
        self.rev = 1

    @property
    def seq(self) -> int:
        """The latest message's."""
        return len(self.texts)

    @property
    def present(self) -> tuple[str, ...]:
        """Who is in it now."""
        return tuple(user for user, member in self.members.items() if member.present)

    def send(self, sender: str, muted: Collection[str] = (), mentions: Collection[str] = ()) -> None:
        """A member writes; `muted` is whoever of the members wants no notification now."""
        self.rev += 1
        self.senders.append(sender)
        self.texts.append(f"text {self.seq + 1}")
        present = self.present
        quiet = tuple(user for user in present if user in muted)
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
                muted=quiet,
                mentions=tuple(mentions),
            )
        )
        for user in present:
            self._hear(user, quiet=user == sender or user in quiet, mentioned=user in mentions)

    def _hear(self, user: str, *, quiet: bool, mentioned: bool) -> None:
        member = self.members[user]
        if quiet:
            member.read_up_to(self.seq)
            return
        member.listed = True
        member.unread.add(self.seq)
        if mentioned:
            self.mentioned.add((self.seq, user))

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
        """A user comes, or comes back: what was written before is as good as read."""
        self.rev += 1
        self.members[user] = Member()
        time_ms = START_MS + self.seq
        self.events.append(
            MemberJoined(ORGANIZATION, CONVERSATION, NAME, user, actor, self.rev, read_seq=self.seq, time_ms=time_ms)
        )
