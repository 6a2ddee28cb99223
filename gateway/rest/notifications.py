"""Notifications at paths that are not one RPC: numbered pages, and a count by the name that front-ends know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from parley.notify.v1 import notification_pb2

from chassis.rpc.paging import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from gateway.rest.contract import ContractOperation
from gateway.rest.operation import Call, Operation, Schema
from gateway.rest.request_parsing import names_any, query_integer
from gateway.rest.schemas import object_of, parameter, ref
from gateway.wire.json_objects import Object, notification_object

MAX_PAGE: Final = 50
"""A numbered page is reached by walking over those before it; who wants more reads them by token."""

_OF_THE_CONTRACT: Final = ("pageSize", "pageToken")
_OF_ITS_OWN: Final = ("page", "limit")


PAGE: Final = object_of(
    {
        "notifications": {"type": "array", "items": ref(notification_pb2.Notification.DESCRIPTOR)},
        "hasMore": {"type": "boolean"},
        "unreadCount": {"type": "integer", "description": "Of all the caller's notifications."},
        "page": {"type": "integer"},
    },
    description="A numbered page of notifications, latest first.",
)
COUNT: Final = object_of({"count": {"type": "integer"}}, description="How many are unread.")


class Notifications:
    """The operations under /api/notifications that the contract does not give by itself.

    Args:
        contract: the operations of the contract, by method and path.
    """

    def __init__(self, contract: Mapping[tuple[str, str], ContractOperation]) -> None:
        self._list = contract["GET", "/api/notifications"]
        self._count = contract["GET", "/api/notifications/unread-count"]

    async def list_notifications(self, call: Call) -> Any:
        """Lists one page, by its number or by a page token."""
        if names_any(call.request, _OF_THE_CONTRACT) and not names_any(call.request, _OF_ITS_OWN):
            return await self._list.handle(call)
        number = query_integer(call.request, "page", 1, most=MAX_PAGE)
        limit = query_integer(call.request, "limit", DEFAULT_PAGE_SIZE, most=MAX_PAGE_SIZE)
        skip, token = (number - 1) * limit, ""
        while skip:
            response = await self._list.call(call, {"pageSize": min(skip, MAX_PAGE_SIZE), "pageToken": token})
            skip -= len(response.notifications)
            token = response.next_page_token
            if not token:
                return _page(number, [], False, response.unread_count)
        response = await self._list.call(call, {"pageSize": limit, "pageToken": token})
        notifications = [notification_object(notification) for notification in response.notifications]
        return _page(number, notifications, bool(response.next_page_token), response.unread_count)

    async def count_unread(self, call: Call) -> Object:
        """Counts what is unread; `count` is what front-ends call it."""
        response = await self._count.call(call)
        return {"count": response.unread_count}

    def operations(self) -> tuple[Operation, ...]:
        """Returns the rows of the table."""
        listed, count = self._list.operation(), self._count.operation()
        size: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE}
        number: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE}
        own = (
            parameter("page", number, "The number of the page; 1 is the newest, and the default."),
            parameter("limit", size, f"How many notifications at most; {DEFAULT_PAGE_SIZE} by default."),
        )
        answer: Schema = {"anyOf": [PAGE, listed.answer]}
        return (
            replace(listed, handler=self.list_notifications, parameters=(*listed.parameters, *own), answer=answer),
            replace(count, handler=self.count_unread, answer=COUNT),
        )


def _page(number: int, notifications: list[Object], has_more: bool, unread_count: int) -> Object:
    return {"notifications": notifications, "hasMore": has_more, "unreadCount": unread_count, "page": number}
