"""The RPC edge of presence: checks what comes, makes one call inward, converts what goes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
from parley.auth.v1.user_pb2 import Role
from parley.presence.v1 import presence_pb2, presence_pb2_grpc

from chassis.identity import caller, calling_user
from chassis.rpc.validation import FieldChecks
from services.presence.attachments import Attachments
from services.presence.convert import presence_message, role_name
from services.presence.domain import CHOICES, MAX_TEXT_CHARACTERS, Status, UserKey
from services.presence.presences import Presences
from services.presence.sessions import Report, Session
from services.presence.watches import Watches

MAX_USERS: Final = 200
MAX_SESSIONS_PER_REQUEST: Final = 5_000
_MAX_ID_CHARACTERS: Final = 128
_ROLES: Final = frozenset(Role.values()) - {Role.ROLE_UNSPECIFIED}
_GATEWAY_ID: Final = re.compile(r"[!-~]{0,128}")

Context = grpc.aio.ServicerContext[Any, Any]


class PresenceServicer(presence_pb2_grpc.PresenceServiceServicer):
    """Serves PresenceService."""

    def __init__(self, presences: Presences, attachments: Attachments, watches: Watches) -> None:
        self._presences = presences
        self._attachments = attachments
        self._watches = watches

    async def Attach(
        self, request_iterator: AsyncIterator[presence_pb2.AttachRequest], context: Context
    ) -> AsyncIterator[presence_pb2.AttachResponse]:
        """See the contract."""
        reports = _reports(request_iterator, caller().organization_id)
        async for acknowledged, events, complete in self._attachments.serve(reports):
            yield presence_pb2.AttachResponse(
                acked_sequence=acknowledged, events=events, synced_organization_ids=[complete] if complete else ()
            )

    async def BatchGetPresence(
        self, request: presence_pb2.BatchGetPresenceRequest, context: Context
    ) -> presence_pb2.BatchGetPresenceResponse:
        """See the contract."""
        _check_users(request)
        presences = await self._presences.get(calling_user(), request.user_ids)
        return presence_pb2.BatchGetPresenceResponse(
            presences=[presence_message(user, seen) for user, seen in zip(request.user_ids, presences, strict=True)]
        )

    async def WatchPresence(
        self, request: presence_pb2.WatchPresenceRequest, context: Context
    ) -> AsyncIterator[presence_pb2.WatchPresenceResponse]:
        """See the contract."""
        _check_users(request)
        async for presences in self._watches.serve(calling_user(), request.user_ids):
            yield presence_pb2.WatchPresenceResponse(presences=presences)

    async def SetStatus(
        self, request: presence_pb2.SetStatusRequest, context: Context
    ) -> presence_pb2.SetStatusResponse:
        """See the contract."""
        checks = FieldChecks()
        checks.require(int(request.status) in CHOICES, "status", "must be ONLINE, AWAY, DND or INVISIBLE")
        checks.text("text", request.text, at_most=MAX_TEXT_CHARACTERS)
        checks.done()
        text = request.text if request.HasField("text") else None
        user = calling_user()
        seen = await self._presences.choose(user, Status(request.status), text)
        return presence_pb2.SetStatusResponse(presence=presence_message(user.user_id, seen))


def _check_users(request: presence_pb2.BatchGetPresenceRequest | presence_pb2.WatchPresenceRequest) -> None:
    checks = FieldChecks()
    if checks.require(len(request.user_ids) <= MAX_USERS, "userIds", f"must be at most {MAX_USERS}"):
        for user_id in request.user_ids:
            checks.user_id("userIds", user_id)
    checks.done()


async def _reports(requests: AsyncIterator[presence_pb2.AttachRequest], organization_id: str) -> AsyncIterator[Report]:
    """The reports of a gateway; one that is limited to an organization has its name in that organization alone."""
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
            number=request.request_sequence,
            more=request.has_more,
        )


def _check_report(request: presence_pb2.AttachRequest) -> None:
    checks = FieldChecks()
    many = len(request.upsert) + len(request.closed)
    checks.require(
        many <= MAX_SESSIONS_PER_REQUEST, "upsert", f"must be at most {MAX_SESSIONS_PER_REQUEST} with closed"
    )
    checks.require(request.request_sequence >= 0, "requestSequence", "must not be negative")
    checks.require(
        _GATEWAY_ID.fullmatch(request.gateway_id) is not None, "gatewayId", "must be at most 128 of visible ASCII"
    )
    for session in request.upsert:
        checks.text("upsert.sessionId", session.session_id, at_least=1, at_most=_MAX_ID_CHARACTERS)
        checks.user_id("upsert.organizationId", session.organization_id)
        checks.user_id("upsert.userId", session.user_id)
        checks.require(session.role in _ROLES, "upsert.role", "must be a role")
    checks.done()
