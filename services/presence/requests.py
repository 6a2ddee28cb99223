"""Converts requests to the domain's types, and checks what the contract's options cannot state."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

from parley.presence.v1 import presence_pb2

from chassis.rpc.validation import FieldChecks
from services.presence.convert import role_name
from services.presence.domain import Status, UserKey
from services.presence.sessions import Report, Session

MAX_SESSIONS_PER_REQUEST: Final = 5_000
_VISIBLE_ASCII: Final = re.compile(r"[!-~]*")


def setting(request: presence_pb2.SetStatusRequest) -> tuple[Status, str | None]:
    """Reads the status and text of SetStatus; the text is None if absent."""
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
    sentence = f"must have at most {MAX_SESSIONS_PER_REQUEST:,} items together with closed"
    checks.require(count <= MAX_SESSIONS_PER_REQUEST, "upsert", sentence)
    visible = _VISIBLE_ASCII.fullmatch(request.gateway_id) is not None
    checks.require(visible, "gatewayId", "must have visible ASCII characters only")
    checks.done()
