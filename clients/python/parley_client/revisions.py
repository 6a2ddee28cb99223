"""The order of one conversation's changes: which may be applied, which wait, and whether any is missing; no I/O.

Invariants: every change with a rev up to `applied` is accounted for, and every buffered change has a rev beyond
`applied` + 1, so at least one change before it is missing.
"""

from parley_client.events import ChangeEvent

# Beyond this many, the buffered changes are dropped; the sync that fills the gap returns them all.
_MAX_BUFFERED = 1_000


class RevisionOrder:
    """How far one conversation's changes have been applied.

    `applied` is None until the starting rev is known; until then everything is buffered.
    """

    def __init__(self) -> None:
        self.applied: int | None = None
        self.head = 0
        # By rev; a rev that is accounted for without an event has an empty list.
        self._buffered: dict[int, list[ChangeEvent]] = {}

    @property
    def behind(self) -> bool:
        """Whether a change is known to be missing."""
        return self.applied is not None and self.head > self.applied

    def observe_rev(self, rev: int) -> None:
        """Records that a change with this rev exists."""
        self.head = max(self.head, rev)

    def can_apply(self, rev: int) -> bool:
        """Returns whether a change with this rev may be applied now: no earlier one is missing."""
        return self.applied is not None and rev <= self.applied + 1

    def buffer(self, rev: int, event: ChangeEvent) -> None:
        """Buffers an event until the earlier changes have been applied."""
        events = self._slot(rev)
        if event not in events:
            events.append(event)

    def mark_applied(self, rev: int) -> None:
        """Records that the change with this rev has been applied."""
        self.observe_rev(rev)
        if self.applied is not None and rev <= self.applied + 1:
            self.applied = max(self.applied, rev)
        else:
            self._slot(rev)

    def mark_applied_through(self, rev: int) -> None:
        """Records that every change up to this rev has been applied, and drops the buffered ones among them."""
        self.observe_rev(rev)
        self.applied = max(rev, self.applied or 0)
        for covered in [buffered for buffered in self._buffered if buffered <= self.applied]:
            del self._buffered[covered]

    def start(self, rev: int | None) -> list[ChangeEvent]:
        """Starts after a rev (None: before the first buffered change); returns the buffered events up to it."""
        if rev is None:
            rev = min(self._buffered, default=self.head + 1) - 1
        early = [event for earlier in sorted(self._buffered) if earlier <= rev for event in self._buffered[earlier]]
        self.mark_applied_through(rev)
        return early

    def pop_ready(self) -> list[ChangeEvent] | None:
        """Returns the buffered events next in order, and counts them as applied; None if there are none."""
        if self.applied is None or self.applied + 1 not in self._buffered:
            return None
        self.applied += 1
        return self._buffered.pop(self.applied)

    def _slot(self, rev: int) -> list[ChangeEvent]:
        self.observe_rev(rev)
        if len(self._buffered) >= _MAX_BUFFERED and rev not in self._buffered:
            self._buffered.clear()
        return self._buffered.setdefault(rev, [])
