"""Makes chat publish recent entries again after its store was restored while Redis is empty.

The store records what was published, not who received it. While Redis keeps its data, that is enough. But entries
that a backup records as published may not have reached notify by then, and their copies in Redis are gone. So the
summaries of conversations with recent changes are set back, with intents under a dead lease. The first replica that
starts takes the lease over and publishes the rest, as for a replica that was killed. Subscribers ignore events that
they have seen.
"""

from __future__ import annotations

from typing import Final

from services.chat.domain import Head, LogEntry, Message
from services.chat.store import ChatStore

LEASE_ID: Final = "restored"


async def publish_again(store: ChatStore, since_ms: int) -> int:
    """Makes chat publish all entries since a time, in Unix ms, when it starts. May be repeated.

    Returns:
        The number of conversations with such entries.
    """
    await store.create_dead_lease(LEASE_ID)
    count = 0
    async for conversation in store.changed_conversations(since_ms):
        conversation_id = conversation.conversation_id
        head = await _head_before(store, conversation_id, conversation.head, since_ms)
        await store.write_intents(LEASE_ID, [conversation_id], generation=0)
        await store.reset_summary(conversation_id, head)
        count += 1
    return count


async def _head_before(store: ChatStore, conversation_id: str, head: Head, since_ms: int) -> Head:
    """Returns the head before the first entry since a time; times never decrease along revs."""
    async for entry in store.entries_down_from(conversation_id, head.rev):
        if _time_ms(entry) < since_ms:
            return await _head_at(store, entry, head)
    return Head(seq=0, rev=0, last_message_id="", last_message_ms=head.last_message_ms, changed_ms=head.changed_ms)


async def _head_at(store: ChatStore, entry: LogEntry, later: Head) -> Head:
    rev = entry.sent_rev if isinstance(entry, Message) else entry.rev
    last_message = await store.message_at(entry.conversation_id, entry.seq) if entry.seq else None
    if last_message is None:
        active_ms = later.last_message_ms if not later.seq else _time_ms(entry)
        return Head(entry.seq, rev, "", active_ms, _time_ms(entry))
    return Head(entry.seq, rev, last_message.message_id, last_message.create_ms, _time_ms(entry))


def _time_ms(entry: LogEntry) -> int:
    return entry.create_ms if isinstance(entry, Message) else entry.time_ms
