"""Pages of a conversation's history, as front-ends count them: page 1 is the newest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from parley.chat.v1.chat_pb2 import Message
from parley.chat.v1.message_pb2 import ListMessagesRequest

from gateway.sessions.commands import UserCalls


class Page(NamedTuple):
    """Messages by seq ascending, and whether there are older ones."""

    messages: Sequence[Message]
    has_more: bool


async def page_before(calls: UserCalls, conversation_id: str, before_seq: int | None, size: int) -> Page:
    """The messages just before a seq, or the newest. Raises AppError."""
    request = ListMessagesRequest(conversation_id=conversation_id, page_size=size)
    if before_seq is not None:
        request.before_seq = before_seq
    response = await calls.call(calls.upstreams.messages.ListMessages, request, conversation_id=conversation_id)
    return Page(response.messages, response.has_more)


async def page_number(calls: UserCalls, conversation_id: str, number: int, size: int) -> Page:
    """A page by its number. Raises AppError.

    Seqs are gapless, so that the latest one says where any page lies.
    """
    skipped = (number - 1) * size
    if not skipped:
        return await page_before(calls, conversation_id, None, size)
    newest = (await page_before(calls, conversation_id, None, 1)).messages
    return await page_before(calls, conversation_id, max((newest[0].seq if newest else 0) - skipped + 1, 1), size)
