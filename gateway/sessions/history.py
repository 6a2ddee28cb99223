"""Pages of a conversation's history, numbered as front-ends number them: page 1 is the newest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from parley.chat.v1.chat_pb2 import Message
from parley.chat.v1.message_pb2 import ListMessagesRequest

from gateway.sessions.user_client import UserClient


class HistoryPage(NamedTuple):
    """Messages by ascending seq, and whether there are older ones."""

    messages: Sequence[Message]
    has_more: bool


async def page_before(client: UserClient, conversation_id: str, before_seq: int | None, size: int) -> HistoryPage:
    """Returns the messages just before a seq, or the newest ones for None. Raises AppError."""
    request = ListMessagesRequest(conversation_id=conversation_id, page_size=size)
    if before_seq is not None:
        request.before_seq = before_seq
    response = await client.call(client.upstreams.messages.ListMessages, request, conversation_id=conversation_id)
    return HistoryPage(response.messages, response.has_more)


async def page_number(client: UserClient, conversation_id: str, number: int, size: int) -> HistoryPage:
    """Returns a page by its number. Raises AppError.

    Seqs have no gaps, so the newest seq determines where every page begins.
    """
    skipped = (number - 1) * size
    if not skipped:
        return await page_before(client, conversation_id, None, size)
    newest = (await page_before(client, conversation_id, None, 1)).messages
    return await page_before(client, conversation_id, max((newest[0].seq if newest else 0) - skipped + 1, 1), size)
