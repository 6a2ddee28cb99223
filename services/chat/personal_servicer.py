"""The gRPC servicers of what belongs to one user: drafts and scheduled messages."""

from __future__ import annotations

from parley.chat.v1 import draft_pb2, schedule_pb2
from parley.chat.v1.draft_pb2_grpc import DraftServiceServicer
from parley.chat.v1.schedule_pb2_grpc import ScheduleServiceServicer

from chassis.identity import calling_user
from chassis.rpc.interceptor import Context
from services.chat import convert, requests
from services.chat.drafts import Drafts
from services.chat.schedule import Schedule


class DraftServicer(DraftServiceServicer):
    """parley.chat.v1.DraftService."""

    def __init__(self, drafts: Drafts) -> None:
        self._drafts = drafts

    async def SetDraft(self, request: draft_pb2.SetDraftRequest, context: Context) -> draft_pb2.SetDraftResponse:
        """Implements the RPC."""
        await self._drafts.put(
            calling_user(), request.conversation_id, request.text, request.reply_to, request_id=request.request_id
        )
        return draft_pb2.SetDraftResponse()

    async def ListDrafts(self, request: draft_pb2.ListDraftsRequest, context: Context) -> draft_pb2.ListDraftsResponse:
        """Implements the RPC."""
        drafts = await self._drafts.of_caller(calling_user())
        return draft_pb2.ListDraftsResponse(drafts=map(convert.draft_to_proto, drafts))


class ScheduleServicer(ScheduleServiceServicer):
    """parley.chat.v1.ScheduleService."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    async def ScheduleMessage(
        self, request: schedule_pb2.ScheduleMessageRequest, context: Context
    ) -> schedule_pb2.ScheduleMessageResponse:
        """Implements the RPC."""
        scheduled = await self._schedule.add(
            calling_user(),
            request.conversation_id,
            request.client_message_id,
            request.text,
            convert.milliseconds(request.send_time),
        )
        return schedule_pb2.ScheduleMessageResponse(
            scheduled_message_id=scheduled.scheduled_message_id, send_time=convert.timestamp(scheduled.send_ms)
        )

    async def ListScheduledMessages(
        self, request: schedule_pb2.ListScheduledMessagesRequest, context: Context
    ) -> schedule_pb2.ListScheduledMessagesResponse:
        """Implements the RPC."""
        scheduled = await self._schedule.of_caller(calling_user(), request.conversation_id)
        return schedule_pb2.ListScheduledMessagesResponse(scheduled_messages=map(convert.scheduled_to_proto, scheduled))

    async def RescheduleMessage(
        self, request: schedule_pb2.RescheduleMessageRequest, context: Context
    ) -> schedule_pb2.RescheduleMessageResponse:
        """Implements the RPC."""
        scheduled = await self._schedule.change(
            calling_user(),
            request.scheduled_message_id,
            text=requests.new_text(request),
            send_ms=convert.milliseconds(request.send_time) if request.HasField("send_time") else None,
            request_id=request.request_id,
        )
        return schedule_pb2.RescheduleMessageResponse(scheduled_message=convert.scheduled_to_proto(scheduled))

    async def UnscheduleMessage(
        self, request: schedule_pb2.UnscheduleMessageRequest, context: Context
    ) -> schedule_pb2.UnscheduleMessageResponse:
        """Implements the RPC."""
        await self._schedule.cancel(calling_user(), request.scheduled_message_id)
        return schedule_pb2.UnscheduleMessageResponse()
