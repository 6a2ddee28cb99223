"""What the gateway tells presence: which sessions are open here, and whether somebody is at the device."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import grpc
from parley.presence.v1.presence_pb2 import AttachRequest, AttachResponse, Event, Session

from chassis.rpc.channel import Metadata
from gateway.metrics import EVENTS
from gateway.upstream.attachment_tracker import AttachmentTracker
from gateway.upstream.streams import TwoWayStream

HEARTBEAT_SECONDS: Final = 5.0
SESSIONS_PER_REQUEST: Final = 5_000


class PresenceReporter(TwoWayStream[AttachRequest, AttachResponse]):
    """The stream to presence: it reports sessions, and delivers changes of presence.

    Args:
        method: PresenceService.Attach.
        gateway_id: this gateway's name, unique among gateways.
        metadata: gives the metadata of a new stream.
        deliver: takes events, in order.
        mark_synced: is told the organizations of which all who are present were delivered.
    """

    def __init__(
        self,
        method: grpc.aio.StreamStreamMultiCallable[AttachRequest, AttachResponse],
        *,
        gateway_id: str,
        metadata: Callable[[], Awaitable[Metadata]],
        deliver: Callable[[Iterable[Event]], None],
        mark_synced: Callable[[Iterable[str]], None],
    ) -> None:
        super().__init__("presence", method, metadata, HEARTBEAT_SECONDS)
        self._gateway_id = gateway_id
        self._deliver = deliver
        self._mark_synced = mark_synced
        self._tracker: AttachmentTracker[str, bytes] = AttachmentTracker()  # serialized: a fifth of the memory
        self._beginning = True
        self._events = EVENTS.labels("presence")

    def report(self, session: Session) -> None:
        """Reports a session that opened or changed."""
        self._tracker.add(session.session_id, session.SerializeToString())
        self.wake()

    def close(self, session_id: str) -> None:
        """Reports that a session closed."""
        self._tracker.remove(session_id)
        self.wake()

    def when_reported(self, session_id: str, then: Callable[[], None]) -> None:
        """Calls `then` once presence knows of an open session."""
        self._tracker.when_in_effect(session_id, then)

    def first(self) -> AttachRequest:
        """All sessions, or as many as go into one request, and who we are."""
        self._tracker.restart()
        self._beginning = True
        request = self.next()
        request.gateway_id = self._gateway_id
        return request

    def next(self) -> AttachRequest:
        """The sessions that opened and changed, or before them those that closed.

        In one request, presence would see an organization that stays where its last session closed and another opened,
        and not tell anew who is here: the gateway has forgotten it by then.
        """
        changes = self._tracker.changes(SESSIONS_PER_REQUEST, removed_first=True)
        more = self._tracker.pending > 0
        if more:
            self.wake()
        request = AttachRequest(
            upsert=map(Session.FromString, changes.added),
            closed=changes.removed,
            request_sequence=changes.sequence,
            has_more=more and self._beginning,
        )
        self._beginning = self._beginning and more
        return request

    def heartbeat(self) -> AttachRequest:
        """A heartbeat for all sessions."""
        return AttachRequest()

    def take(self, response: AttachResponse) -> None:
        """Delivers events, then says whose session is known."""
        self._deliver(response.events)
        self._events.inc(len(response.events))
        self._mark_synced(response.synced_organization_ids)
        if response.acked_sequence:
            self._tracker.acknowledge(response.acked_sequence)
