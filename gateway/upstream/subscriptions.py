"""The gateway's subscriptions: the users that it holds, and the events of chat and notify that come for them.

One stream to each service carries the events of all users. It resumes where it was when it breaks, so that open
sockets miss nothing; where that can't be had, `lost` is called, and clients must catch up by themselves.
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
from gateway.upstream.streams import TwoWayStream

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
        """What happened."""

    @property
    def resume_cursors(self) -> Cursors:
        """Where to resume, for the shards that advanced."""

    @property
    def resync_required(self) -> bool:
        """Whether events were missed."""


class Subscription(TwoWayStream[Any, SubscribeResponse[E_co]]):
    """The stream to one service.

    Args:
        name: for logs and metrics.
        method: the service's Subscribe.
        request_type: its SubscribeRequest.
        metadata: gives the metadata of a new stream.
        deliver: takes events, in order.
        lost: called when events were missed.
    """

    def __init__(
        self,
        name: str,
        method: grpc.aio.StreamStreamMultiCallable[Any, Any],
        request_type: Callable[..., Any],
        *,
        metadata: Callable[[], Awaitable[Metadata]],
        deliver: Callable[[Iterable[E_co]], None],
        lost: Callable[[], None],
    ) -> None:
        super().__init__(name, method, metadata)
        self._request_type = request_type
        self._deliver = deliver
        self._lost = lost
        self._tracker: AttachmentTracker[User, User] = AttachmentTracker()
        self._positions: dict[int, str] = {}
        self._events = EVENTS.labels(name)
        self._delivery_seconds = DELIVERY_SECONDS.labels(name)

    def attach(self, user: User) -> None:
        """Asks for the events of a user, from now on."""
        self._tracker.add(user, user)
        self.wake()

    def detach(self, user: User) -> None:
        """Wants no more events of a user."""
        self._tracker.remove(user)
        self.wake()

    def when_attached(self, user: User, then: Callable[[], None]) -> None:
        """Calls `then` once whatever happens to an attached user is delivered here."""
        self._tracker.when_in_effect(user, then)

    def first(self) -> Any:
        """All users, and where to resume: what is resumed comes for those named here alone."""
        self._tracker.restart()
        resume_cursors = Cursors(shards=self._positions) if self._positions else None
        return self._request_type(attachments=_attachments(self._tracker.changes()), resume_cursors=resume_cursors)

    def next(self) -> Any:
        """The users that came and went."""
        return self._request_type(attachments=_attachments(self._tracker.changes()))

    def heartbeat(self) -> Any:
        """Nothing: the connection itself is kept alive below gRPC."""
        return self._request_type()

    def take(self, response: SubscribeResponse[E_co]) -> None:
        """Delivers events; only then is the position behind them ours, and users of whom we were told attached."""
        self._deliver(response.events)
        self._measure(response)
        self._positions.update(response.resume_cursors.shards)
        if response.resync_required:
            self._lost()
        if response.acked_sequence:
            self._tracker.acknowledge(response.acked_sequence)

    def _measure(self, response: SubscribeResponse[E_co]) -> None:
        """Measures a whole response at once; positions begin with when Redis took the entry, as Unix milliseconds."""
        if response.events:
            self._events.inc(len(response.events))
        if response.events and response.resume_cursors.shards:
            newest_ms = max(int(position.partition("-")[0]) for position in response.resume_cursors.shards.values())
            self._delivery_seconds.observe(max(0.0, time.time() - newest_ms / 1_000))


def _attachments(changes: Changes[User, User]) -> Attachments:
    return Attachments(add=_keys(changes.added), remove=_keys(changes.removed), request_sequence=changes.sequence)


def _keys(users: Iterable[User]) -> list[UserKey]:
    return [UserKey(organization_id=organization_id, user_id=user_id) for organization_id, user_id in users]
