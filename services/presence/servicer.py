"""The gRPC servicer of presence: validates a request, calls one use case, and converts the result to its proto."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
from parley.presence.v1 import presence_pb2, presence_pb2_grpc

from chassis.identity import caller, calling_user
from services.presence import requests
from services.presence.attachments import Attachments
from services.presence.convert import presence_message
from services.presence.presences import Presences
from services.presence.watches import Watches

Context = grpc.aio.ServicerContext[Any, Any]


class PresenceServicer(presence_pb2_grpc.PresenceServiceServicer):
    """Serves parley.presence.v1.PresenceService."""

    def __init__(self, presences: Presences, attachments: Attachments, watches: Watches) -> None:
        self._presences = presences
        self._attachments = attachments
        self._watches = watches

    async def Attach(
        self, request_iterator: AsyncIterator[presence_pb2.AttachRequest], context: Context
    ) -> AsyncIterator[presence_pb2.AttachResponse]:
        """Serves a gateway's stream."""
        reports = requests.reports(request_iterator, caller().organization_id)
        async for acked_sequence, events, synced in self._attachments.serve(reports):
            yield presence_pb2.AttachResponse(
                acked_sequence=acked_sequence, events=events, synced_organization_ids=[synced] if synced else ()
            )

    async def BatchGetPresence(
        self, request: presence_pb2.BatchGetPresenceRequest, context: Context
    ) -> presence_pb2.BatchGetPresenceResponse:
        """Returns the presence of users, in the order of the request."""
        user_ids = request.user_ids
        presences = await self._presences.get(calling_user(), user_ids)
        return presence_pb2.BatchGetPresenceResponse(
            presences=[presence_message(user, presence) for user, presence in zip(user_ids, presences, strict=True)]
        )

    async def WatchPresence(
        self, request: presence_pb2.WatchPresenceRequest, context: Context
    ) -> AsyncIterator[presence_pb2.WatchPresenceResponse]:
        """Streams the presence of users."""
        async with aclosing(self._watches.serve(calling_user(), request.user_ids)) as updates:
            async for presences in updates:
                yield presence_pb2.WatchPresenceResponse(presences=presences)

    async def SetStatus(
        self, request: presence_pb2.SetStatusRequest, context: Context
    ) -> presence_pb2.SetStatusResponse:
        """Sets the caller's status."""
        status, text = requests.setting(request)
        user = calling_user()
        presence = await self._presences.set_status(user, status, text, request.request_id)
        return presence_pb2.SetStatusResponse(presence=presence_message(user.user_id, presence))
