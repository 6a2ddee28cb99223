"""Validates requests and converts them to the domain's types."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

from parley.auth.v1.user_pb2 import Role
from parley.presence.v1 import presence_pb2

from chassis.rpc.validation import FieldChecks
from services.presence.convert import role_name
from services.presence.domain import CHOOSABLE_STATUSES, MAX_TEXT_CHARACTERS, Status, UserKey
from services.presence.sessions import Report, Session

MAX_USERS: Final = 200
MAX_SESSIONS_PER_REQUEST: Final = 5_000
_MAX_ID_CHARACTERS: Final = 128
_ROLES: Final = frozenset(Role.values()) - {Role.ROLE_UNSPECIFIED}
_GATEWAY_ID: Final = re.compile(r"[!-~]{0,128}")


def user_ids(request: presence_pb2.BatchGetPresenceRequest | presence_pb2.WatchPresenceRequest) -> list[str]:
    """Reads the user ids of a request. Raises InvalidArgumentError."""
    checks = FieldChecks()
    if checks.require(len(request.user_ids) <= MAX_USERS, "userIds", f"must be at most {MAX_USERS}"):
        for user_id in request.user_ids:
            checks.user_id("userIds", user_id)
    checks.done()
    return list(request.user_ids)


def setting(request: presence_pb2.SetStatusRequest) -> tuple[Status, str | None]:
    """Reads the status and text of SetStatus; the text is None if absent. Raises InvalidArgumentError."""
    checks = FieldChecks()
    checks.request_id(request.request_id)
    checks.require(int(request.status) in CHOOSABLE_STATUSES, "status", "must be ONLINE, AWAY, DND or INVISIBLE")
    checks.text("text", request.text, at_most=MAX_TEXT_CHARACTERS)
    checks.done()
    return Status(request.status), request.text if request.HasField("text") else None


async def reports(requests: AsyncIterator[presence_pb2.AttachRequest], organization_id: str) -> AsyncIterator[Report]:
    """Reads the reports of a gateway. Raises InvalidArgumentError.

    The gateway id of a caller limited to an organization is scoped to that organization.
    """
    async for request in requests:
        _check_report(request)
        name = request.gateway_id
        yield Report(
            gateway_id=f"{organization_id}/{name}" if organization_id and name else name,
            upsert=[
                Session(each.session_id, UserKey(each.organization_id, each.user_id), role_name(each.role), each.idle)
                for each in request.upsert
            ],
            closed=list(request.closed),
            request_sequence=request.request_sequence,
            has_more=request.has_more,
        )


def _check_report(request: presence_pb2.AttachRequest) -> None:
    checks = FieldChecks()
    count = len(request.upsert) + len(request.closed)
    checks.require(
        count <= MAX_SESSIONS_PER_REQUEST, "upsert", f"must be at most {MAX_SESSIONS_PER_REQUEST} with closed"
    )
    checks.require(request.request_sequence >= 0, "requestSequence", "must not be negative")
    checks.require(
        _GATEWAY_ID.fullmatch(request.gateway_id) is not None,
        "gatewayId",
        "must be at most 128 characters of visible ASCII",
    )
    for session in request.upsert:
        checks.text("upsert.sessionId", session.session_id, at_least=1, at_most=_MAX_ID_CHARACTERS)
        checks.user_id("upsert.organizationId", session.organization_id)
        checks.user_id("upsert.userId", session.user_id)
        checks.require(session.role in _ROLES, "upsert.role", "must be a role")
    checks.done()
