"""The gRPC servicer of notify: validates a request, calls one use case, and converts the result to its proto."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
from parley.notify.v1 import notification_pb2, notification_pb2_grpc

from chassis.errors import AppError, InvalidArgumentError, PermissionDeniedError
from chassis.events.fanout import FanOut
from chassis.identity import Identity, caller, calling_user
from chassis.rpc.paging import Milliseconds, decode_token, encode_token, page_size
from chassis.rpc.status import to_status
from services.notify import requests
from services.notify.convert import to_proto
from services.notify.creation import NotificationCreator, NotificationRequest
from services.notify.domain import Notification, Owner
from services.notify.inbox import Inbox
from services.notify.store import Cursor

Context = grpc.aio.ServicerContext[Any, Any]


class NotificationServicer(notification_pb2_grpc.NotificationServiceServicer):
    """Serves parley.notify.v1.NotificationService."""

    def __init__(self, inbox: Inbox, creator: NotificationCreator, fan_out: FanOut[notification_pb2.Event]) -> None:
        self._inbox = inbox
        self._creator = creator
        self._fan_out = fan_out

    async def CreateNotifications(
        self, request: notification_pb2.CreateNotificationsRequest, context: Context
    ) -> notification_pb2.CreateNotificationsResponse:
        """Creates notifications for users of the caller's organization."""
        identity = _organization_caller()
        items = [_read_item(item, request.request_id, index) for index, item in enumerate(request.items)]
        valid = [item for item in items if isinstance(item, NotificationRequest)]
        created = iter(await self._creator.create(identity.organization_id, _caller_key(identity), valid))
        outcomes = [next(created) if isinstance(item, NotificationRequest) else item for item in items]
        return notification_pb2.CreateNotificationsResponse(outcomes=[_outcome(outcome) for outcome in outcomes])

    async def ListNotifications(
        self, request: notification_pb2.ListNotificationsRequest, context: Context
    ) -> notification_pb2.ListNotificationsResponse:
        """Lists the caller's notifications, latest first."""
        owner = _owner()
        name = requests.listing_name(owner, request)
        cursor = decode_token(request.page_token, name, tuple[Milliseconds, str])
        page = await self._inbox.page(
            owner,
            unread_only=request.unread_only,
            type_=requests.listed_type(request.type),
            after=Cursor(*cursor) if cursor else None,
            size=page_size(request.page_size),
        )
        return notification_pb2.ListNotificationsResponse(
            notifications=[to_proto(notification) for notification in page.notifications],
            next_page_token=encode_token(list(page.next_cursor), name) if page.next_cursor else "",
            unread_count=await self._inbox.unread_count(owner),
        )

    async def MarkNotificationRead(
        self, request: notification_pb2.MarkNotificationReadRequest, context: Context
    ) -> notification_pb2.MarkNotificationReadResponse:
        """Marks one of the caller's notifications as read."""
        count = await self._inbox.mark_read(_owner(), request.notification_id, request.request_id)
        return notification_pb2.MarkNotificationReadResponse(unread_count=count)

    async def MarkAllNotificationsRead(
        self, request: notification_pb2.MarkAllNotificationsReadRequest, context: Context
    ) -> notification_pb2.MarkAllNotificationsReadResponse:
        """Marks all of the caller's notifications as read."""
        count = await self._inbox.mark_all_read(_owner(), request.request_id)
        return notification_pb2.MarkAllNotificationsReadResponse(unread_count=count)

    async def DeleteNotification(
        self, request: notification_pb2.DeleteNotificationRequest, context: Context
    ) -> notification_pb2.DeleteNotificationResponse:
        """Deletes one of the caller's notifications."""
        count = await self._inbox.delete(_owner(), request.notification_id, request.request_id)
        return notification_pb2.DeleteNotificationResponse(unread_count=count)

    async def GetUnreadCount(
        self, request: notification_pb2.GetUnreadCountRequest, context: Context
    ) -> notification_pb2.GetUnreadCountResponse:
        """Counts the caller's unread notifications."""
        return notification_pb2.GetUnreadCountResponse(unread_count=await self._inbox.unread_count(_owner()))

    async def GetPreferences(
        self, request: notification_pb2.GetPreferencesRequest, context: Context
    ) -> notification_pb2.GetPreferencesResponse:
        """Returns the caller's preferences."""
        muted = await self._inbox.muted_types(_owner())
        return notification_pb2.GetPreferencesResponse(preferences=_preferences(muted))

    async def UpdatePreferences(
        self, request: notification_pb2.UpdatePreferencesRequest, context: Context
    ) -> notification_pb2.UpdatePreferencesResponse:
        """Replaces the caller's preferences."""
        muted = requests.muted_types(request)
        await self._inbox.set_muted_types(_owner(), muted, request.request_id)
        return notification_pb2.UpdatePreferencesResponse(preferences=_preferences(muted))

    async def Subscribe(
        self, request_iterator: AsyncIterator[notification_pb2.SubscribeRequest], context: Context
    ) -> AsyncIterator[notification_pb2.SubscribeResponse]:
        """Delivers events of the notifications of the users that the subscriber attaches."""
        async with aclosing(self._fan_out.serve(request_iterator)) as responses:
            async for acked_sequence, events, cursors, resync_required in responses:
                yield notification_pb2.SubscribeResponse(
                    acked_sequence=acked_sequence,
                    events=events,
                    resume_cursors=cursors,
                    resync_required=resync_required,
                )


def _owner() -> Owner:
    identity = calling_user()
    return Owner(identity.organization_id, identity.user_id)


def _organization_caller() -> Identity:
    identity = caller()
    if not identity.organization_id:
        raise PermissionDeniedError("ORGANIZATION_REQUIRED", "a token of an organization is required")
    return identity


def _caller_key(identity: Identity) -> str:
    """Returns the caller's name for ids; a service and a user of one name stay apart."""
    return f"service:{identity.service}" if identity.service else f"user:{identity.user_id}"


def _read_item(
    item: notification_pb2.CreateNotificationsRequest.Item, request_id: str, index: int
) -> NotificationRequest | InvalidArgumentError:
    try:
        return requests.notification_request(item, request_id, index)
    except InvalidArgumentError as error:
        return error


def _outcome(outcome: Notification | AppError) -> notification_pb2.CreateNotificationsResponse.Outcome:
    if isinstance(outcome, AppError):
        return notification_pb2.CreateNotificationsResponse.Outcome(error=to_status(outcome))
    return notification_pb2.CreateNotificationsResponse.Outcome(notification=to_proto(outcome))


def _preferences(muted: frozenset[int]) -> notification_pb2.Preferences:
    types = [notification_pb2.NotificationType.ValueType(number) for number in sorted(muted)]
    return notification_pb2.Preferences(muted_types=types)
