"""Random changes, repeats and crashes leave a user's notifications as a model of effects-once says.

Two replicas share the database. The model knows each request's effect from its first attempt; a repeat changes nothing
in it. A crash is an attempt that ends between two writes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chassis.errors import NotFoundError
from chassis.events.log import EventLog, open_redis
from services.notify.domain import Notification, NotificationType, Owner, digest_id, source_event
from services.notify.inbox import Inbox
from services.notify.publisher import EventPublisher
from services.notify.store import NotificationStore, open_client

KEYS = ("conversation-1", "conversation-2", "task")
REPLICAS = st.sampled_from((0, 1))
MUTABLE = st.sets(st.sampled_from((NotificationType.REMINDER, NotificationType.MENTION)))


@dataclass
class Marks:
    """The model of a notification."""

    last_seq: int = 0
    read_seq: int = 0
    hidden_seq: int = 0

    @property
    def listed(self) -> bool:
        """Whether the notification exists for the user."""
        return self.last_seq > self.hidden_seq

    @property
    def unread(self) -> int:
        """The number of unread source events."""
        return max(0, self.last_seq - self.read_seq) if self.listed else 0


@dataclass
class Model:
    """The model of a user's notifications and preferences."""

    marks: dict[str, Marks] = field(default_factory=lambda: {key: Marks() for key in KEYS})
    muted: frozenset[NotificationType] = frozenset()


class Machine(RuleBasedStateMachine):
    """Runs changes against two replicas and the model."""

    def __init__(self, mongodb_uri: str, redis_url: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.owner = Owner("acme", secrets.token_hex(8))
        self.model = Model()
        self.repeats: list[Callable[[int], None]] = []
        self.interrupted: list[tuple[str, dict[str, int]]] = []
        self.run(self._open(mongodb_uri, redis_url))

    def run(self, call: Any) -> Any:
        """Runs a coroutine to its end."""
        return self.runner.run(call)

    async def _open(self, mongodb_uri: str, redis_url: str) -> None:
        self.database = f"test_notify_{secrets.token_hex(8)}"
        self.redis = open_redis(redis_url)
        self.clients = [open_client(mongodb_uri) for _ in range(2)]
        log = EventLog(self.redis, f"test-{self.database}")
        self.stores = [
            NotificationStore(client, self.database, retention=timedelta(days=90), replay=timedelta(hours=2))
            for client in self.clients
        ]
        self.inboxes = [Inbox(store, EventPublisher(log)) for store in self.stores]
        self.keys = [log.stream_key(shard) for shard in range(log.shards)]

    def teardown(self) -> None:
        async def close() -> None:
            await self.clients[0].drop_database(self.database)
            await self.redis.delete(*self.keys)
            await self.redis.aclose()
            for client in self.clients:
                await client.close()

        self.run(close())
        self.runner.close()

    def _id(self, key: str) -> str:
        return digest_id(key, *self.owner)

    def _request(self, attempt: Callable[[Inbox, str], Any], replica: int) -> bool:
        """Makes a request's first attempt, and keeps it for repeats; reports whether it succeeded."""
        request_id = secrets.token_hex(8)
        try:
            self.run(attempt(self.inboxes[replica], request_id))
        except NotFoundError:
            return False
        self.repeats.append(lambda other: self.run(attempt(self.inboxes[other], request_id)))
        return True

    @rule(key=st.sampled_from(KEYS), replica=REPLICAS)
    def a_source_event_arrives(self, key: str, replica: int) -> None:
        marks = self.model.marks[key]
        marks.last_seq += 1
        seq = marks.last_seq
        state = source_event(seq, seq, 1_000 + seq, title="t", body="b", data="{}")
        change = Notification(self._id(key), self.owner, NotificationType.NEW_MESSAGE, state)
        self.run(self.stores[replica].join([change]))

    @rule(key=st.sampled_from(KEYS), replica=REPLICAS)
    def the_user_reads(self, key: str, replica: int) -> None:
        marks = self.model.marks[key]
        done = self._request(lambda inbox, request: inbox.mark_read(self.owner, self._id(key), request), replica)
        assert done == marks.listed
        if done:
            marks.read_seq = marks.last_seq

    @rule(key=st.sampled_from(KEYS), replica=REPLICAS)
    def the_user_deletes(self, key: str, replica: int) -> None:
        marks = self.model.marks[key]
        done = self._request(lambda inbox, request: inbox.delete(self.owner, self._id(key), request), replica)
        assert done == marks.listed
        if done:
            marks.read_seq = marks.hidden_seq = marks.last_seq

    @rule(replica=REPLICAS)
    def the_user_reads_all(self, replica: int) -> None:
        assert self._request(lambda inbox, request: inbox.mark_all_read(self.owner, request), replica)
        self._supersede()
        for marks in self.model.marks.values():
            if marks.unread:
                marks.read_seq = marks.last_seq

    @rule(replica=REPLICAS, marked=st.integers(0, 3))
    def a_replica_dies_while_the_user_reads_all(self, replica: int, marked: int) -> None:
        """The replica dies after it marked some of the positions that it recorded."""
        request_id = secrets.token_hex(8)
        recorded = {key: marks.last_seq for key, marks in self.model.marks.items() if marks.unread}
        positions = self.run(self.stores[replica].start_marking_all(self.owner, request_id))
        assert positions == {self._id(key): seq for key, seq in recorded.items()}
        done = dict(list(positions.items())[:marked])
        self.run(self.stores[replica].mark_positions(done))
        for key, marks in self.model.marks.items():
            marks.read_seq = max(marks.read_seq, done.get(self._id(key), 0))
        self._supersede()
        self.interrupted.append((request_id, recorded))

    def _supersede(self) -> None:
        """Leaves nothing to the requests that were interrupted before: a later one has recorded what is unread."""
        self.interrupted = [(request_id, {}) for request_id, _ in self.interrupted]

    @precondition(lambda self: bool(self.interrupted))
    @rule(data=st.data(), replica=REPLICAS)
    def the_user_repeats_an_interrupted_read_of_all(self, data: st.DataObject, replica: int) -> None:
        request_id, recorded = self.interrupted.pop(data.draw(st.integers(0, len(self.interrupted) - 1)))
        self.run(self.inboxes[replica].mark_all_read(self.owner, request_id))
        for key, seq in recorded.items():
            self.model.marks[key].read_seq = max(self.model.marks[key].read_seq, seq)
        self.repeats.append(lambda other: self.run(self.inboxes[other].mark_all_read(self.owner, request_id)))

    @rule(types=MUTABLE, replica=REPLICAS)
    def the_user_changes_the_preferences(self, types: set[NotificationType], replica: int) -> None:
        assert self._request(lambda inbox, request: inbox.set_muted_types(self.owner, types, request), replica)
        self.model.muted = frozenset(types)

    @precondition(lambda self: bool(self.repeats))
    @rule(data=st.data(), replica=REPLICAS)
    def the_user_repeats_a_request(self, data: st.DataObject, replica: int) -> None:
        data.draw(st.sampled_from(self.repeats))(replica)

    @invariant()
    def the_notifications_are_those_of_the_model(self) -> None:
        stored = self.run(self.stores[0].get_many([self._id(key) for key in KEYS]))
        for key, marks in self.model.marks.items():
            notification = stored.get(self._id(key))
            if notification is None:
                assert marks.last_seq == 0
                continue
            state = notification.state
            assert (state.last_seq, state.listed) == (marks.last_seq, marks.listed)
            assert (state.unread_count if state.listed else 0) == marks.unread
        assert self.run(self.inboxes[1].muted_types(self.owner)) == self.model.muted


def test_repeats_and_crashes_change_nothing_that_they_should_not(mongodb_uri: str, redis_url: str) -> None:
    run_state_machine_as_test(
        lambda: Machine(mongodb_uri, redis_url),  # type: ignore[arg-type]  # any factory will do
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
