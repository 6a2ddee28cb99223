"""Invalid requests to every method of presence, and the errors that they get."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from parley.auth.v1.user_pb2 import ROLE_EMPLOYEE
from parley.presence.v1 import presence_pb2 as pb

from chassis.errors import Category
from chassis.rpc.channel import Metadata
from tests.component.bad_input import Call, answer, check, methods_of
from tests.component.presence.harness import User

METHODS = methods_of(pb.DESCRIPTOR.services_by_name["PresenceService"])
SESSION = pb.Session(session_id="s1", organization_id="acme", user_id="ann", role=ROLE_EMPLOYEE)
GOOD: dict[str, Message] = {
    "Attach": pb.AttachRequest(upsert=[SESSION], request_sequence=1, gateway_id="edge"),
    "BatchGetPresence": pb.BatchGetPresenceRequest(user_ids=["ann"]),
    "WatchPresence": pb.WatchPresenceRequest(user_ids=["ann"]),
    "SetStatus": pb.SetStatusRequest(status=pb.CHOSEN_STATUS_DND, text="away"),
}


def session(**changed: Any) -> pb.AttachRequest:
    """Returns a valid first request with changed fields of its session."""
    request = pb.AttachRequest(gateway_id="edge", request_sequence=1, upsert=[SESSION])
    request.upsert[0].MergeFrom(pb.Session(**changed))
    for name, value in changed.items():
        setattr(request.upsert[0], name, value)
    return request


ROWS: dict[str, list[tuple[Message, str]]] = {
    "Attach": [
        (pb.AttachRequest(request_sequence=1), "gatewayId"),
        (pb.AttachRequest(gateway_id="x" * 129), "gatewayId"),
        (pb.AttachRequest(gateway_id="a b"), "gatewayId"),
        (pb.AttachRequest(gateway_id="ä"), "gatewayId"),
        (pb.AttachRequest(gateway_id="edge", request_sequence=-1), "requestSequence"),
        (pb.AttachRequest(gateway_id="edge", upsert=[SESSION] * 5_001), "upsert"),
        (pb.AttachRequest(gateway_id="edge", closed=["s"] * 5_001), "upsert"),
        (session(session_id=""), "upsert[0].sessionId"),
        (session(session_id="x" * 129), "upsert[0].sessionId"),
        (session(organization_id=""), "upsert[0].organizationId"),
        (session(user_id="a/b"), "upsert[0].userId"),
        (session(role=0), "upsert[0].role"),
    ],
    "BatchGetPresence": [
        (pb.BatchGetPresenceRequest(user_ids=["ann"] * 201), "userIds"),
        (pb.BatchGetPresenceRequest(user_ids=[""]), "userIds"),
        (pb.BatchGetPresenceRequest(user_ids=["a b"]), "userIds"),
    ],
    "WatchPresence": [
        (pb.WatchPresenceRequest(user_ids=["ann"] * 201), "userIds"),
        (pb.WatchPresenceRequest(user_ids=["x" * 65]), "userIds"),
    ],
    "SetStatus": [
        (pb.SetStatusRequest(), "status"),
        (pb.SetStatusRequest(status=5), "status"),  # type: ignore[arg-type]  # offline is not a choice
        (pb.SetStatusRequest(status=99), "status"),  # type: ignore[arg-type]  # there is no such status
        (pb.SetStatusRequest(status=pb.CHOSEN_STATUS_AWAY, text="x" * 141), "text"),
        (pb.SetStatusRequest(status=pb.CHOSEN_STATUS_AWAY, request_id="x" * 65), "requestId"),
    ],
}


def test_every_method_has_rows() -> None:
    assert set(GOOD) == set(ROWS) == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
async def test_no_invalid_request_causes_an_internal_error(
    replica_a: grpc.aio.Channel, ann: User, gateway_metadata: Metadata, name: str
) -> None:
    metadata = gateway_metadata if name == "Attach" else ann.metadata
    assert await check(replica_a, METHODS[name], Call(GOOD[name], metadata)) == []


@pytest.mark.parametrize("name", METHODS)
async def test_each_mistake_is_named(
    replica_a: grpc.aio.Channel, ann: User, gateway_metadata: Metadata, name: str
) -> None:
    metadata = gateway_metadata if name == "Attach" else ann.metadata
    for request, field in ROWS[name]:
        error = await answer(replica_a, METHODS[name], request, metadata)
        assert error is not None, field
        assert (error.category, error.reason) == (Category.INVALID_ARGUMENT, "INVALID_FIELDS")
        assert field in error.fields
