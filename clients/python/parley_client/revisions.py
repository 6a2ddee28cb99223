"""The order of one conversation's changes: what may be applied now, what has to wait, what is missing; no I/O.

Invariants: every change with a rev up to `applied` is accounted for, and whatever waits has a rev beyond
`applied` + 1, so at least one change before it is missing.
"""

from parley_client.events import ChangeEvent

# Beyond this many the waiting ones are dropped: a sync brings them all anyway.
_MAX_BUFFERED = 1_000


class RevisionOrder:
    """How far one conversation's changes have been applied.

    `applied` is None until it is known where to begin; until then everything waits.
    """

    def __init__(self) -> None:
        self.applied: int | None = None
        self.head = 0
        # By rev; a rev that is accounted for without an event has an empty list.
        self._buffered: dict[int, list[ChangeEvent]] = {}

    @property
    def behind(self) -> bool:
        """Whether something is known to be missing."""
        return self.applied is not None and self.head > self.applied

    def observe_rev(self, rev: int) -> None:
        """A change of that rev exists."""
        self.head = max(self.head, rev)

    def can_apply(self, rev: int) -> bool:
        """Whether a change of that rev may be applied now: nothing before it is missing."""
        return self.applied is not None and rev <= self.applied + 1

    def buffer(self, rev: int, event: ChangeEvent) -> None:
        """Lets an event wait for those before it."""
        waiting = self._slot(rev)
        if event not in waiting:
            waiting.append(event)

    def mark_applied(self, rev: int) -> None:
        """The change of that rev has been applied."""
        self.observe_rev(rev)
        if self.applied is not None and rev <= self.applied + 1:
            self.applied = max(self.applied, rev)
        else:
            self._slot(rev)

    def mark_applied_through(self, rev: int) -> None:
        """Every change up to that rev has been applied; what waited for one of them need not any more."""
        self.observe_rev(rev)
        self.applied = max(rev, self.applied or 0)
        for passed in [held for held in self._buffered if held <= self.applied]:
            del self._buffered[passed]

    def start(self, rev: int | None) -> list[ChangeEvent]:
        """Begins after that rev, or where None is given just before what waits; returns what came of before it."""
        if rev is None:
            rev = min(self._buffered, default=self.head + 1) - 1
        early = [event for held in sorted(self._buffered) if held <= rev for event in self._buffered[held]]
        self.mark_applied_through(rev)
        return early

    def pop_ready(self) -> list[ChangeEvent] | None:
        """What waited for the change that was applied last, now counted as applied; None when nothing did."""
        if self.applied is None or self.applied + 1 not in self._buffered:
            return None
        self.applied += 1
        return self._buffered.pop(self.applied)

    def _slot(self, rev: int) -> list[ChangeEvent]:
        self.observe_rev(rev)
        if len(self._buffered) >= _MAX_BUFFERED and rev not in self._buffered:
            self._buffered.clear()
        return self._buffered.setdefault(rev, [])
