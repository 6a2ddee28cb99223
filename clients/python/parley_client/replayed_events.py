"""Makes up for events that were missed: from what changed, the events that would have told of it.

They have the types and shapes of live events, `replayed` is set, and:

- a message that changed several times gives one event, with the message as it is now and the rev of its latest
  change: `message.created` when it was not known (also if it was edited since), else `message.updated`;
  `message.deleted`, with the tombstone, in either case when it was deleted;
- `conversation.created` and `conversation.updated` carry the conversation as it is now;
- `member.added`, `member.removed` and `member.updated` carry the rev of the conversation as it is now, since the rev
  of the change itself is not told; who came and went in between gives none;
- `receipt.updated` carries the latest marks;
- typing, presence and notifications are not made up for: ask for what is true now.
"""

from collections.abc import Iterator, Mapping

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
from parley_client.protocol import Conversation, Member, Message

Members = Mapping[str, Member]


def replay_message(message: Message, *, known: bool) -> Event:
    """What tells of a message that was written or changed meanwhile."""
    if message.delete_time is not None:
        return MessageDeleted(message=message, replayed=True)
    if known:
        return MessageUpdated(message=message, replayed=True)
    return MessageCreated(message=message, replayed=True)


def replay_settings(before: Conversation, after: Conversation) -> Iterator[Event]:
    """What tells of a change of the conversation's own fields, or of the user's own view of it."""
    if settings_of(before) != settings_of(after):
        yield ConversationUpdated(conversation=after, replayed=True)


def replay_members(conversation: Conversation, before: Members, after: Members) -> Iterator[Event]:
    """What tells of members who came, went, changed roles or read on."""
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
    """What `conversation.updated` tells of: neither counters nor members, which have events of their own."""
    return (*shared_settings_of(conversation), conversation.muted_until)


def shared_settings_of(conversation: Conversation) -> tuple[object, ...]:
    """The part of the settings that is the same for all members, and whose changes take a rev."""
    return (
        conversation.name,
        conversation.description,
        conversation.external_ref,
        conversation.archived,
        tuple(conversation.tags),
    )
