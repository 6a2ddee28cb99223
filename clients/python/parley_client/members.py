"""The members of a conversation and their receipts, from events and snapshots; no I/O."""

from collections.abc import Iterable

from parley_client.contract import Conversation, Member
from parley_client.events import Event, MemberAdded, MemberEvent, MemberRemoved


class Membership:
    """The members of one conversation.

    Roles follow the conversation's order: changes older than `rev` are ignored. Receipts are outside that order and
    only move forward, so the higher value is right in whatever order they come.
    """

    def __init__(self) -> None:
        self.rev = 0
        self.count = 0
        # False above 200 members: snapshots do not list them.
        self.known = False
        self._roles: dict[str, str] = {}
        self._receipts: dict[str, tuple[int, int]] = {}
        self._emitted_at_rev: set[tuple[str, str]] = set()

    def members(self) -> dict[str, Member]:
        """Returns the members by user id; empty if they are not known."""
        return {user_id: self._member(user_id, role) for user_id, role in sorted(self._roles.items())}

    def read_seq(self, user_id: str) -> int:
        """Returns the seq up to which a user has read."""
        return self._receipts.get(user_id, (0, 0))[0]

    def advance_receipt(self, user_id: str, read_seq: int, delivered_seq: int) -> bool:
        """Moves a user's receipt forward; returns whether it moved."""
        read, delivered = self._receipts.get(user_id, (0, 0))
        receipt = (max(read, read_seq), max(delivered, delivered_seq, read_seq))
        self._receipts[user_id] = receipt
        return receipt != (read, delivered)

    def apply(self, event: MemberEvent) -> bool:
        """Applies a change; returns whether it was new.

        One change of the log may come as several events with the same rev, so each event of the latest rev is new once.
        """
        if event.rev < self.rev:
            return False
        if event.rev > self.rev:
            self._emitted_at_rev.clear()
            self.rev = event.rev
        if _key(event) in self._emitted_at_rev:
            return False
        self._emitted_at_rev.add(_key(event))
        self._change(event)
        return True

    def mark_emitted(self, events: Iterable[Event]) -> None:
        """Marks events as emitted: if they still come, they are not new."""
        self._emitted_at_rev.update(_key(event) for event in events if isinstance(event, MemberEvent))

    def apply_snapshot(self, snapshot: Conversation) -> None:
        """Replaces the members with those of a snapshot, unless the known ones are newer."""
        for member in snapshot.members:
            self.advance_receipt(member.user_id, member.read_seq, member.delivered_seq)
        if snapshot.rev < self.rev:
            return
        if snapshot.rev > self.rev:
            self._emitted_at_rev.clear()
            self.rev = snapshot.rev
        self.count = max(snapshot.member_count, len(snapshot.members))
        self.known = len(snapshot.members) == self.count
        self._roles = {member.user_id: member.role for member in snapshot.members} if self.known else {}

    def _change(self, event: MemberEvent) -> None:
        member = event.member
        if not isinstance(event, MemberRemoved):
            self.advance_receipt(member.user_id, member.read_seq, member.delivered_seq)
        if not self.known:
            self.count += isinstance(event, MemberAdded) - isinstance(event, MemberRemoved)
            return
        if isinstance(event, MemberRemoved):
            self._roles.pop(member.user_id, None)
        else:
            self._roles[member.user_id] = member.role
        self.count = len(self._roles)

    def _member(self, user_id: str, role: str) -> Member:
        read_seq, delivered_seq = self._receipts.get(user_id, (0, 0))
        return Member(user_id=user_id, role=role, read_seq=read_seq, delivered_seq=delivered_seq)


def _key(event: MemberEvent) -> tuple[str, str]:
    return event.name, event.member.user_id
