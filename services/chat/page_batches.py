"""Reads the pages of a batch: the latest ones from memory in one step, the others from the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from parley.chat.v1 import message_pb2 as pb

from chassis.contract.validator import validate
from chassis.errors import AppError, UnavailableError, unexpected_error
from chassis.identity import Identity, require_organization
from chassis.process.logs import logger
from chassis.rpc.paging import page_size
from chassis.rpc.status import to_status
from services.chat import convert
from services.chat.latest_pages import MAX_PAGE_SIZE, LatestPages, LatestRequest, Page
from services.chat.messages import Messages
from services.chat.store import StoreError

MAX_RESPONSE_BYTES: Final = 4 * 1024 * 1024
_STORE_RETRY_MS: Final = 1_000

_log = logger("pages")


class PageBatches:
    """Reads pages for many users, each with its own outcome.

    Args:
        messages: reads pages from the store.
        latest: reads the latest pages.
    """

    def __init__(self, messages: Messages, latest: LatestPages) -> None:
        self._messages = messages
        self._latest = latest

    async def read(self, caller: Identity, items: Sequence[pb.BatchListMessagesRequest.Item]) -> list[Page | AppError]:
        """Returns a page or an error for each item, whose users the caller vouches for."""
        outcomes: dict[int, Page | AppError] = {}
        latest: dict[int, LatestRequest] = {}
        others: list[int] = []
        for index, item in enumerate(items):
            try:
                require_organization(caller, item.actor.organization_id)
                validate(item.request)
            except AppError as error:
                outcomes[index] = error
                continue
            size = page_size(item.request.page_size)
            if item.request.WhichOneof("place") is None and size <= MAX_PAGE_SIZE:
                actor = item.actor
                latest[index] = LatestRequest(actor.organization_id, actor.user_id, item.request.conversation_id, size)
            else:
                others.append(index)
        pages = await asyncio.gather(
            self._read_latest(list(latest.values())), *(self._read_one(items[index]) for index in others)
        )
        outcomes |= dict(zip(latest, pages[0], strict=True))
        outcomes |= {index: page[0] for index, page in zip(others, pages[1:], strict=True)}
        return [outcomes[index] for index in range(len(items))]

    async def _read_latest(self, requests: Sequence[LatestRequest]) -> list[Page | AppError]:
        try:
            return await self._latest.read(requests)
        except Exception as error:  # fails these items, not the others
            return [_outcome_of(error)] * len(requests)

    async def _read_one(self, item: pb.BatchListMessagesRequest.Item) -> list[Page | AppError]:
        request, size = item.request, page_size(item.request.page_size)
        try:
            if request.HasField("around_seq"):
                messages, has_more = await self._messages.around(
                    item.actor, request.conversation_id, request.around_seq, size
                )
            else:
                messages, has_more = await self._messages.history(
                    item.actor,
                    request.conversation_id,
                    before_seq=request.before_seq if request.HasField("before_seq") else None,
                    after_seq=request.after_seq if request.HasField("after_seq") else None,
                    page_size=size,
                )
        except Exception as error:  # fails this item, not the others
            return [_outcome_of(error)]
        return [Page([convert.message_to_proto(message).SerializeToString() for message in messages], has_more)]


def _outcome_of(error: Exception) -> AppError:
    if isinstance(error, AppError):
        return error
    if isinstance(error, StoreError):
        _log.warning("store_unavailable", error=type(error).__name__)
        return UnavailableError("STORE_UNAVAILABLE", "a store is unreachable", retry_after_ms=_STORE_RETRY_MS)
    return unexpected_error(_log, "page_failed", error)


def pages_to_proto(outcomes: Sequence[Page | AppError]) -> pb.BatchListMessagesResponse:
    """Converts the outcomes of a batch; leaves out the last ones if the response would be too large."""
    response = pb.BatchListMessagesResponse()
    size = 0
    for outcome in outcomes:
        if size > MAX_RESPONSE_BYTES:
            break
        proto = response.outcomes.add()
        if isinstance(outcome, AppError):
            proto.error.CopyFrom(to_status(outcome))
        else:
            proto.page.has_more = outcome.has_more
            proto.page.messages.extend(outcome.messages)
            size += sum(map(len, outcome.messages))
    return response
