"""Who is in a conversation and how far each has read, as events and snapshots tell it; no I/O."""

from parley_client.events import MemberAdded, MemberEvent, MemberRemoved
from parley_client.objects import Conversation, Member


class Membership:
    """The members of one conversation.

    Roles follow the conversation's order: what is older than `rev` says nothing new. Receipts stand outside of that
    order and only move forward, so the higher mark is always the right one, in whatever order they come.
    """

    def __init__(self) -> None:
        self.rev = 0
        self.count = 0
        # False above 200 members, whom nobody lists.
        self.known = False
        self._roles: dict[str, str] = {}
        self._marks: dict[str, tuple[int, int]] = {}
        self._applied_at_rev: set[tuple[type[MemberEvent], str]] = set()

    def members(self) -> dict[str, Member]:
        """The members by user id; empty when they are not known."""
        return {user_id: self._member(user_id, role) for user_id, role in sorted(self._roles.items())}

    def read_seq(self, user_id: str) -> int:
        """How far a user has read."""
        return self._marks.get(user_id, (0, 0))[0]

    def advance(self, user_id: str, read_seq: int, delivered_seq: int) -> bool:
        """Moves a user's marks forward; says whether they moved."""
        read, delivered = self._marks.get(user_id, (0, 0))
        marks = (max(read, read_seq), max(delivered, delivered_seq, read_seq))
        self._marks[user_id] = marks
        return marks != (read, delivered)

    def apply(self, event: MemberEvent) -> bool:
        """Takes in one change; says whether it was news.

        One change of the log may come as several events of one rev, so an event of the latest rev still counts, once.
        """
        if event.rev < self.rev:
            return False
        if event.rev > self.rev:
            self._applied_at_rev.clear()
            self.rev = event.rev
        key = (type(event), event.member.user_id)
        if key in self._applied_at_rev:
            return False
        self._applied_at_rev.add(key)
        return self._change(event)

    def replace(self, snapshot: Conversation) -> None:
        """Takes in the members as of the snapshot's rev, unless what is known is newer."""
        for member in snapshot.members:
            self.advance(member.user_id, member.read_seq, member.delivered_seq)
        if snapshot.rev < self.rev:
            return
        self.rev = snapshot.rev
        self._applied_at_rev.clear()
        self.count = max(snapshot.member_count, len(snapshot.members))
        self.known = len(snapshot.members) == self.count
        self._roles = {member.user_id: member.role for member in snapshot.members} if self.known else {}

    def _change(self, event: MemberEvent) -> bool:
        member = event.member
        if not isinstance(event, MemberRemoved):
            self.advance(member.user_id, member.read_seq, member.delivered_seq)
        if not self.known:
            self.count += isinstance(event, MemberAdded) - isinstance(event, MemberRemoved)
            return True
        before = self._roles.get(member.user_id)
        if isinstance(event, MemberRemoved):
            self._roles.pop(member.user_id, None)
        else:
            self._roles[member.user_id] = member.role
        self.count = len(self._roles)
        return before != self._roles.get(member.user_id)

    def _member(self, user_id: str, role: str) -> Member:
        read_seq, delivered_seq = self._marks.get(user_id, (0, 0))
        return Member(user_id=user_id, role=role, read_seq=read_seq, delivered_seq=delivered_seq)
