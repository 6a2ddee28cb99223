"""The stream to the presence service: it reports this gateway's sessions, and delivers changes of presence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import grpc
from parley.presence.v1.presence_pb2 import AttachRequest, AttachResponse, Event, Session

from chassis.rpc.channel import Metadata
from gateway.metrics import EVENTS
from gateway.upstream.attachment_tracker import AttachmentTracker
from gateway.upstream.streams import BidiStream

HEARTBEAT_SECONDS: Final = 5.0
SESSIONS_PER_REQUEST: Final = 5_000


class PresenceReporter(BidiStream[AttachRequest, AttachResponse]):
    """Reports sessions to presence.

    Args:
        method: PresenceService.Attach.
        gateway_id: this gateway's name, unique among gateways.
        metadata: returns the metadata of a new stream.
        deliver: takes events, in order.
        mark_synced: takes the organizations whose complete presence has been delivered.
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
        self._sends_snapshot = True
        self._events = EVENTS.labels("presence")

    def report(self, session: Session) -> None:
        """Reports a session that opened or changed."""
        self._tracker.add(session.session_id, session.SerializeToString())
        self.wake()

    def close(self, session_id: str) -> None:
        """Reports a session that closed."""
        self._tracker.remove(session_id)
        self.wake()

    def when_reported(self, session_id: str, callback: Callable[[], None]) -> None:
        """Calls `callback` once presence knows an open session."""
        self._tracker.when_in_effect(session_id, callback)

    def first_request(self) -> AttachRequest:
        """Returns the gateway's id and all sessions, or as many as one request holds."""
        self._tracker.restart()
        self._sends_snapshot = True
        request = self.next_request()
        request.gateway_id = self._gateway_id
        return request

    def next_request(self) -> AttachRequest:
        """Returns the sessions that closed; if there are none, those that opened or changed.

        When an organization's last session closes and another opens, the two must not go in one request: presence
        would see no change and send no snapshot, but the gateway has forgotten the organization's presence.
        """
        changes = self._tracker.changes(SESSIONS_PER_REQUEST, removed_first=True)
        has_more = self._tracker.pending > 0
        if has_more:
            self.wake()
        request = AttachRequest(
            upsert=map(Session.FromString, changes.added),
            closed=changes.removed,
            request_sequence=changes.sequence,
            has_more=has_more and self._sends_snapshot,
        )
        self._sends_snapshot = self._sends_snapshot and has_more
        return request

    def heartbeat(self) -> AttachRequest:
        """Returns an empty request: it keeps all sessions alive."""
        return AttachRequest()

    def handle(self, response: AttachResponse) -> None:
        """Delivers events, then marks organizations as synced and sessions as reported."""
        self._deliver(response.events)
        self._events.inc(len(response.events))
        self._mark_synced(response.synced_organization_ids)
        if response.acked_sequence:
            self._tracker.acknowledge(response.acked_sequence)
