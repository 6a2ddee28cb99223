"""Subscriptions to the events of chat and notify, for the users connected to this gateway.

One stream to each service carries the events of all users. After a break it resumes where it was, so open connections
miss nothing. If the service cannot resume, `on_loss` is called, and clients must catch up.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any, Protocol, TypeVar

import grpc
from parley.stream.v1.stream_pb2 import Attachments, Cursors, UserKey

from chassis.rpc.channel import Metadata
from gateway.metrics import DELIVERY_SECONDS, EVENTS
from gateway.upstream.attachment_tracker import AttachmentTracker, Changes
from gateway.upstream.streams import BidiStream

E_co = TypeVar("E_co", covariant=True)
User = tuple[str, str]
"""(organization id, user id)."""


class SubscribeResponse(Protocol[E_co]):
    """The SubscribeResponse of any service."""

    @property
    def acked_sequence(self) -> int:
        """The request_sequence of the latest attachments in effect, or 0."""

    @property
    def events(self) -> Collection[E_co]:
        """The events, in order."""

    @property
    def resume_cursors(self) -> Cursors:
        """Where to resume, for the shards that advanced."""

    @property
    def resync_required(self) -> bool:
        """Whether events were missed."""


class Subscription(BidiStream[Any, SubscribeResponse[E_co]]):
    """The stream of one service's events.

    Args:
        name: the name in logs and metrics.
        method: the service's Subscribe.
        request_type: its SubscribeRequest.
        metadata: returns the metadata of a new stream.
        deliver: takes events, in order.
        on_loss: called when events were missed.
    """

    def __init__(
        self,
        name: str,
        method: grpc.aio.StreamStreamMultiCallable[Any, Any],
        request_type: Callable[..., Any],
        *,
        metadata: Callable[[], Awaitable[Metadata]],
        deliver: Callable[[Iterable[E_co]], None],
        on_loss: Callable[[], None],
    ) -> None:
        super().__init__(name, method, metadata)
        self._request_type = request_type
        self._deliver = deliver
        self._on_loss = on_loss
        self._tracker: AttachmentTracker[User, User] = AttachmentTracker()
        self._cursors: dict[int, str] = {}
        self._events = EVENTS.labels(name)
        self._delivery_seconds = DELIVERY_SECONDS.labels(name)

    def attach(self, user: User) -> None:
        """Subscribes to a user's events."""
        self._tracker.add(user, user)
        self.wake()

    def detach(self, user: User) -> None:
        """Unsubscribes from a user's events."""
        self._tracker.remove(user)
        self.wake()

    def when_attached(self, user: User, callback: Callable[[], None]) -> None:
        """Calls `callback` once every event for an attached user is delivered here."""
        self._tracker.when_in_effect(user, callback)

    def first_request(self) -> Any:
        """Returns all users and the cursors to resume from: the service resumes only for users of the first request."""
        self._tracker.restart()
        resume_cursors = Cursors(shards=self._cursors) if self._cursors else None
        return self._request_type(attachments=_attachments(self._tracker.changes()), resume_cursors=resume_cursors)

    def next_request(self) -> Any:
        """Returns the users attached and detached since the previous request."""
        return self._request_type(attachments=_attachments(self._tracker.changes()))

    def heartbeat(self) -> Any:
        """Returns an empty request; never sent, as HTTP/2 keeps the connection alive."""
        return self._request_type()

    def handle(self, response: SubscribeResponse[E_co]) -> None:
        """Delivers events; only then advances the cursors and marks users as attached."""
        self._deliver(response.events)
        self._measure(response)
        self._cursors.update(response.resume_cursors.shards)
        if response.resync_required:
            self._on_loss()
        if response.acked_sequence:
            self._tracker.acknowledge(response.acked_sequence)

    def _measure(self, response: SubscribeResponse[E_co]) -> None:
        """Measures a whole response at once. A cursor begins with the time at Redis, in Unix milliseconds."""
        if response.events:
            self._events.inc(len(response.events))
        if response.events and response.resume_cursors.shards:
            newest_ms = max(int(cursor.partition("-")[0]) for cursor in response.resume_cursors.shards.values())
            self._delivery_seconds.observe(max(0.0, time.time() - newest_ms / 1_000))


def _attachments(changes: Changes[User, User]) -> Attachments:
    return Attachments(
        add=_user_keys(changes.added), remove=_user_keys(changes.removed), request_sequence=changes.sequence
    )


def _user_keys(users: Iterable[User]) -> list[UserKey]:
    return [UserKey(organization_id=organization_id, user_id=user_id) for organization_id, user_id in users]
