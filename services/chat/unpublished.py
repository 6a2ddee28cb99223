"""Reads entries that are in conversations' logs but not published, and builds their events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from parley.chat.v1 import event_pb2

from services.chat import events
from services.chat.conversation_cache import ConversationState
from services.chat.domain import Change, Conversation, Head, LogEntry, Member, Message, advance, advance_over
from services.chat.store import ChatStore

MAX_ENTRIES: Final = 500


class Entry(NamedTuple):
    """An event of a log entry, and the conversation's head after the entry."""

    event: event_pb2.Event
    state: ConversationState
    head: Head


class Unpublished(NamedTuple):
    """The events to publish, and the conversations that may have further unpublished entries."""

    entries: list[Entry]
    unfinished: set[ConversationState]


async def read_unpublished(store: ChatStore, dirty: Collection[ConversationState]) -> Unpublished:
    """Returns the events of the first unpublished entries of these conversations.

    Each event has the rev of its entry; a message that has changed since has its present content.
    """
    states = {state.conversation.conversation_id: state for state in dirty}
    tails = await store.tails({key: state.published.rev for key, state in states.items()}, MAX_ENTRIES)
    unfinished = _beyond(tails, states)
    tails = {key: tail for key, tail in tails.items() if tail}
    conversations = await store.conversations(tails)
    members = await store.members(list(tails))
    messages = await store.messages_by_id(_named(tails, states))
    entries: list[Entry] = []
    for key, tail in tails.items():
        for entry in tail:
            if isinstance(entry, Message):
                states[key].record_sender(entry)
        entries += _entries(states[key], conversations[key], members[key], tail, messages)
    return Unpublished(entries, unfinished)


def _beyond(tails: Mapping[str, list[LogEntry]], states: Mapping[str, ConversationState]) -> set[ConversationState]:
    """Returns the conversations that the limit may have cut off; tails are read one after the other, by id."""
    if sum(map(len, tails.values())) < MAX_ENTRIES:
        return set()
    last = max(key for key, tail in tails.items() if tail)
    return {state for key, state in states.items() if key >= last}


def _named(tails: Mapping[str, list[LogEntry]], states: Mapping[str, ConversationState]) -> list[str]:
    """Returns the ids of messages that the events contain but the tails don't."""
    changes = (entry for tail in tails.values() for entry in tail if isinstance(entry, Change))
    named = {change.message_id for change in changes}
    named |= {advance_over(states[key].published, tail).last_message_id for key, tail in tails.items()}
    return [message_id for message_id in named if message_id]


def _entries(
    state: ConversationState,
    conversation: Conversation,
    members: list[Member],
    tail: list[LogEntry],
    messages: Mapping[str, Message],
) -> Iterable[Entry]:
    by_id = {member.user_id: member for member in members}
    head, end = state.published, advance_over(state.published, tail)
    last = messages.get(end.last_message_id)
    for entry in tail:
        head = advance(head, entry)
        if isinstance(entry, Message):
            sent = replace(entry, rev=entry.sent_rev)
            yield Entry(events.message_created(conversation, sent, by_id, origin=""), state, head)
            continue
        message = messages.get(entry.message_id)
        changed = replace(message, rev=entry.rev) if message else None
        for event in events.change_events(entry, conversation, end, members, last=last, message=changed):
            yield Entry(event, state, head)
