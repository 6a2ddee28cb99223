"""A reconnecting gateway reports all of its sessions, in requests of a limited size."""

from __future__ import annotations

from typing import Any, cast

from parley.presence.v1.presence_pb2 import AttachResponse, Session

from chassis.rpc.channel import Metadata
from gateway.upstream.presence_stream import SESSIONS_PER_REQUEST, PresenceReporter


async def no_metadata() -> Metadata:
    return ()


def reporter_with(sessions: int) -> PresenceReporter:
    reporter = PresenceReporter(
        cast(Any, None),  # the stream itself is not opened here
        gateway_id="gateway-1",
        metadata=no_metadata,
        deliver=lambda _: None,
        mark_synced=lambda _: None,
    )
    for number in range(sessions):
        reporter.report(Session(session_id=f"{number}", organization_id="acme", user_id="ann"))
    return reporter


def test_more_sessions_than_one_request_holds_are_reported_in_several() -> None:
    reporter = reporter_with(SESSIONS_PER_REQUEST * 2 + 1)
    requests = [reporter.first_request(), reporter.next_request(), reporter.next_request()]
    assert [request.gateway_id for request in requests] == ["gateway-1", "", ""]
    assert [len(request.upsert) for request in requests] == [SESSIONS_PER_REQUEST, SESSIONS_PER_REQUEST, 1]
    assert [request.has_more for request in requests] == [True, True, False]
    reported = {session.session_id for request in requests for session in request.upsert}
    assert len(reported) == SESSIONS_PER_REQUEST * 2 + 1


def test_a_session_is_known_when_the_request_that_reported_it_is_acknowledged() -> None:
    reporter, known = reporter_with(SESSIONS_PER_REQUEST + 1), list[str]()
    for session_id in ("0", f"{SESSIONS_PER_REQUEST}"):
        reporter.when_reported(session_id, lambda session_id=session_id: known.append(session_id))  # type: ignore[misc]
    first, second = reporter.first_request(), reporter.next_request()
    reporter.handle(AttachResponse(acked_sequence=first.request_sequence))
    assert known == ["0"]
    reporter.handle(AttachResponse(acked_sequence=second.request_sequence))
    assert known == ["0", f"{SESSIONS_PER_REQUEST}"]


def test_later_changes_never_say_that_more_is_to_come() -> None:
    reporter = reporter_with(1)
    assert not reporter.first_request().has_more
    for number in range(SESSIONS_PER_REQUEST + 1):
        reporter.report(Session(session_id=f"later-{number}"))
    reporter.close("0")
    requests = [reporter.next_request(), reporter.next_request(), reporter.next_request()]
    assert [request.has_more for request in requests] == [False, False, False]
    assert [list(request.closed) for request in requests] == [["0"], [], []]
    assert [len(request.upsert) for request in requests] == [0, SESSIONS_PER_REQUEST, 1]
