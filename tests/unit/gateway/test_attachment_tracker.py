"""An attachment tracker keeps the server in step, and calls back when a change is in effect."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.upstream.attachment_tracker import AttachmentTracker, Changes


class TrackerMachine(RuleBasedStateMachine):
    """Random changes, requests, acknowledgements and breaks, against a server that applies each request."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker: AttachmentTracker[int, tuple[int, int]] = AttachmentTracker()
        self.wanted: dict[int, tuple[int, int]] = {}
        self.sent: list[Changes[int, tuple[int, int]]] = []
        self.server: dict[int, tuple[int, int]] = {}
        self.version = 0
        self.broken_promises: list[int] = []
        self.kept_promises = 0

    @rule(key=st.integers(0, 4), asks=st.booleans())
    def add(self, key: int, asks: bool) -> None:
        self.version += 1
        value = (key, self.version)
        self.wanted[key] = value
        self.tracker.add(key, value)
        if asks:
            self.tracker.when_in_effect(key, lambda: self._promise(key, value))

    def _promise(self, key: int, value: tuple[int, int]) -> None:
        held = self.server.get(key)
        if key in self.wanted and (held is None or held < value):
            self.broken_promises.append(key)
        self.kept_promises += 1

    @rule(key=st.integers(0, 4))
    def remove(self, key: int) -> None:
        self.wanted.pop(key, None)
        self.tracker.remove(key)

    @rule(at_most=st.none() | st.integers(1, 3))
    def wake(self, at_most: int | None) -> None:
        changes = self.tracker.changes(at_most)
        assert at_most is None or len(changes.added) + len(changes.removed) <= at_most
        self.sent.append(changes)

    @rule()
    def acknowledge(self) -> None:
        if self.sent:
            changes = self.sent.pop(0)
            self.server.update({value[0]: value for value in changes.added})
            for key in changes.removed:
                self.server.pop(key, None)
            self.tracker.acknowledge(changes.sequence)

    @rule()
    def break_off(self) -> None:
        self.sent.clear()
        self.server.clear()
        self.tracker.restart()

    @invariant()
    def promises_are_kept(self) -> None:
        assert self.broken_promises == []

    def teardown(self) -> None:
        while self.tracker.pending or self.sent:
            if self.tracker.pending:
                self.wake(2)
            self.acknowledge()
        assert self.server == self.wanted


TrackerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
test_the_far_side_ends_with_what_is_wanted_and_nothing_is_promised_early = TrackerMachine.TestCase


def test_an_entry_in_effect_is_so_at_once() -> None:
    tracker: AttachmentTracker[str, str] = AttachmentTracker()
    called: list[str] = []
    tracker.add("a", "a")
    tracker.when_in_effect("a", lambda: called.append("first"))
    tracker.acknowledge(tracker.changes().sequence)
    tracker.when_in_effect("a", lambda: called.append("second"))
    assert called == ["first", "second"]


def test_a_sent_entry_waits_for_the_acknowledgement() -> None:
    tracker: AttachmentTracker[str, str] = AttachmentTracker()
    called: list[str] = []
    tracker.add("a", "a")
    sequence = tracker.changes().sequence
    tracker.when_in_effect("a", lambda: called.append("a"))
    assert called == []
    tracker.acknowledge(sequence)
    assert called == ["a"]


def test_removals_may_be_sent_by_themselves_before_additions() -> None:
    tracker: AttachmentTracker[str, str] = AttachmentTracker()
    for key in "abc":
        tracker.add(key, key.upper())
    tracker.changes()
    tracker.add("d", "D")
    tracker.remove("a")
    tracker.add("b", "B2")
    tracker.remove("c")
    called = [tracker.changes(1, removed_first=True) for _ in range(4)]
    assert [(change.added, change.removed) for change in called] == [
        ([], ["a"]),
        ([], ["c"]),
        (["D"], []),
        (["B2"], []),
    ]
    assert tracker.pending == 0
