"""Builds the events that a client missed from the difference between its state and the server's.

They have the types and shapes of live events, with `replayed` set, and:

- a message that changed several times gives one event, with its current state and the rev of its latest change:
  `message.created` if the client did not know it (even if it was edited since), else `message.updated`; in either case
  `message.deleted`, with the tombstone, if it was deleted;
- `conversation.created` and `conversation.updated` carry the current conversation;
- `member.added`, `member.removed` and `member.updated` carry the rev of the current conversation, since the rev of the
  change is not known; a member who came and went in between gives none;
- `receipt.updated` carries the latest receipt;
- typing, presence and notifications are not replayed: request their current state.
"""

from collections.abc import Iterator, Mapping

from parley_client.contract import Conversation, Member, Message
from parley_client.events import (
    ConversationUpdated,
    Event,
    MemberAdded,
    MemberRemoved,
    MemberUpdated,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    ReceiptUpdated,
)

Members = Mapping[str, Member]


def replay_message(message: Message, *, known: bool) -> Event:
    """Returns the event of a message that was sent or changed."""
    if message.delete_time is not None:
        return MessageDeleted(message=message, replayed=True)
    if known:
        return MessageUpdated(message=message, replayed=True)
    return MessageCreated(message=message, replayed=True)


def replay_settings(before: Conversation, after: Conversation) -> Iterator[Event]:
    """Yields the event of a change of the conversation's settings, or of the user's own settings for it."""
    if settings_of(before) != settings_of(after):
        yield ConversationUpdated(conversation=after, replayed=True)


def replay_members(conversation: Conversation, before: Members, after: Members) -> Iterator[Event]:
    """Yields the events of members who joined, left, changed roles or read more."""
    conversation_id, rev = conversation.conversation_id, conversation.rev
    for user_id, member in after.items():
        old = before.get(user_id)
        if old is None:
            yield MemberAdded(conversation_id=conversation_id, member=member, rev=rev, replayed=True)
        elif old.role != member.role:
            yield MemberUpdated(conversation_id=conversation_id, member=member, rev=rev, replayed=True)
    for user_id, member in before.items():
        if user_id not in after:
            yield MemberRemoved(conversation_id=conversation_id, member=member, rev=rev, replayed=True)
    for user_id, member in after.items():
        old = before.get(user_id)
        if old is not None and (old.read_seq, old.delivered_seq) != (member.read_seq, member.delivered_seq):
            yield ReceiptUpdated(
                conversation_id=conversation_id,
                user_id=user_id,
                read_seq=member.read_seq,
                delivered_seq=member.delivered_seq,
                replayed=True,
            )


def settings_of(conversation: Conversation) -> tuple[object, ...]:
    """Returns what `conversation.updated` is about: neither counters nor members, which have events of their own."""
    return (*shared_settings_of(conversation), conversation.muted_until, conversation.pinned)


def shared_settings_of(conversation: Conversation) -> tuple[object, ...]:
    """Returns the settings that are the same for all members; a change of them takes a rev."""
    return (
        conversation.name,
        conversation.description,
        conversation.external_ref,
        conversation.archived,
        tuple(conversation.tags),
    )
