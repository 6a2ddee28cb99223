"""Folds a batch of chat's events into one change for each notification.

Pure. A busy conversation costs one change for each member and batch, however many messages the batch has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from services.notify.domain import (
    EMPTY,
    Notification,
    NotificationType,
    Owner,
    State,
    Text,
    digest_id,
    joined,
    source_event,
)

PREVIEW_CHARACTERS: Final = 140
DELETED_TEXT: Final = "Message deleted"


@dataclass(frozen=True, slots=True)
class MessageSent:
    """A message was sent. `rev` is the conversation's; `text` is the notification's text."""

    organization_id: str
    conversation_id: str
    message_id: str
    seq: int
    rev: int
    sender_id: str
    sender_name: str
    conversation_name: str
    text: str
    time_ms: int
    recipients: tuple[str, ...]
    muted: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MessageRevised:
    """A message was edited or deleted."""

    organization_id: str
    conversation_id: str
    message_id: str
    seq: int
    rev: int
    sender_id: str
    text: str
    recipients: tuple[str, ...]
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class MessagesRead:
    """A member has read all messages up to a seq."""

    organization_id: str
    conversation_id: str
    user_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """A user was added to a conversation; messages up to `read_seq` count as read."""

    organization_id: str
    conversation_id: str
    conversation_name: str
    user_id: str
    actor_id: str
    rev: int
    read_seq: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A user left a conversation or was removed."""

    organization_id: str
    conversation_id: str
    user_id: str
    rev: int


ChatEvent = MessageSent | MessageRevised | MessagesRead | MemberJoined | MemberLeft


@dataclass(frozen=True, slots=True)
class Folded:
    """The result of folding a batch of events.

    Attributes:
        changes: the changes to join with stored notifications, at most one for each.
        deletions: the revs at which messages were deleted, by the subject of their mentions.
    """

    changes: list[Notification] = field(default_factory=list)
    deletions: dict[str, int] = field(default_factory=dict)


def fold(events: Iterable[ChatEvent]) -> Folded:
    """Folds a batch of events. Folding parts of it and joining the results gives the same."""
    folding = _Folding()
    for event in events:
        folding.add(event)
    return folding.result()


class _Member(NamedTuple):
    """A member of a conversation: the key of a notification of its messages."""

    organization_id: str
    user_id: str
    conversation_id: str


class _Audience(NamedTuple):
    """The recipients of a message. Messages with the same audience, most of a conversation's, are folded together."""

    organization_id: str
    conversation_id: str
    recipients: tuple[str, ...]
    muted: tuple[str, ...]


class _Folding:
    def __init__(self) -> None:
        self._sent_by: dict[_Audience, dict[str, list[MessageSent]]] = {}
        self._states: dict[_Member, State] = {}
        self._singles: dict[str, Notification] = {}
        self._deletions: dict[str, int] = {}

    def add(self, event: ChatEvent) -> None:
        match event:
            case MessageSent():
                self._sent(event)
            case MessageRevised():
                self._revised(event)
            case MessagesRead():
                self._join(event, event.user_id, State(read_seq=event.seq))
            case MemberJoined():
                self._member_joined(event)
            case MemberLeft():
                self._join(event, event.user_id, State(removed_rev=event.rev))

    def _sent(self, event: MessageSent) -> None:
        audience = _Audience(event.organization_id, event.conversation_id, event.recipients, event.muted)
        self._sent_by.setdefault(audience, {}).setdefault(event.sender_id, []).append(event)
        if event.mentions:
            notified = set(event.recipients) - {event.sender_id}  # a mute does not keep mentions out
            for user_id in notified.intersection(event.mentions):
                mention = _mention(event, user_id)
                self._singles[mention.notification_id] = mention

    def _revised(self, event: MessageRevised) -> None:
        state = State(text=Text(event.seq, event.rev, event.text))
        for user_id in event.recipients:
            if user_id != event.sender_id:
                self._join(event, user_id, state)
        if event.deleted:
            subject = _subject(event)
            self._deletions[subject] = max(event.rev, self._deletions.get(subject, 0))

    def _member_joined(self, event: MemberJoined) -> None:
        self._join(event, event.user_id, State(read_seq=event.read_seq))
        if event.conversation_name and event.actor_id != event.user_id:
            addition = _addition(event)
            self._singles[addition.notification_id] = addition

    def _join(self, event: ChatEvent | _Audience, user_id: str, state: State) -> None:
        member = _Member(event.organization_id, user_id, event.conversation_id)
        earlier = self._states.get(member)
        self._states[member] = state if earlier is None else earlier.join(state)

    def result(self) -> Folded:
        for audience, sent_by in self._sent_by.items():
            self._add_messages(audience, sent_by)
        changes = [_of_conversation(member, state) for member, state in self._states.items() if state != EMPTY]
        return Folded([*changes, *self._singles.values()], self._deletions)

    def _add_messages(self, audience: _Audience, sent_by: dict[str, list[MessageSent]]) -> None:
        """Adds to each recipient the messages of all others.

        For a sender, messages up to their own last one count as read; for a user who muted the conversation, all do.
        """
        states = {sender_id: _messages(events) for sender_id, events in sent_by.items()}
        state_of_all = joined(states.values())
        exceptions = dict.fromkeys(audience.muted, State(read_seq=state_of_all.last_seq))
        for sender_id in states.keys() - exceptions.keys():
            from_others = joined(state for other_id, state in states.items() if other_id != sender_id)
            exceptions[sender_id] = from_others.join(State(read_seq=states[sender_id].last_seq))
        for user_id in audience.recipients:
            self._join(audience, user_id, exceptions.get(user_id, state_of_all))


def _messages(events: list[MessageSent]) -> State:
    """Returns the state for recipients of messages. All but the latest only contribute their numbers."""
    numbers = State(first_seq=min(event.seq for event in events), last_rev=max(event.rev for event in events))
    last_seq = max(event.seq for event in events)
    return joined(_message(event) for event in events if event.seq == last_seq).join(numbers)


def _message(event: MessageSent) -> State:
    title = f"{event.sender_name} in {event.conversation_name}" if event.conversation_name else event.sender_name
    return source_event(event.seq, event.rev, event.time_ms, title=title, body=event.text, data=_data(event))


def _mention(event: MessageSent, user_id: str) -> Notification:
    title = f"{event.sender_name} mentioned you"
    if event.conversation_name:
        title = f"{title} in {event.conversation_name}"
    return Notification(
        digest_id("mention", event.organization_id, event.conversation_id, event.message_id, user_id),
        Owner(event.organization_id, user_id),
        NotificationType.MENTION,
        source_event(1, event.rev, event.time_ms, title=title, body=event.text, data=_data(event)),
        _subject(event),
    )


def _data(event: MessageSent) -> str:
    data = {
        "conversationId": event.conversation_id,
        "messageId": event.message_id,
        "senderId": event.sender_id,
        "seq": event.seq,
    }
    return json.dumps(data)


def _subject(event: MessageSent | MessageRevised) -> str:
    return digest_id("message", event.organization_id, event.conversation_id, event.message_id)


def _addition(event: MemberJoined) -> Notification:
    data = {"conversationId": event.conversation_id, "actorId": event.actor_id}
    title = f"You were added to {event.conversation_name}"
    return Notification(
        digest_id("member_added", event.organization_id, event.conversation_id, str(event.rev), event.user_id),
        Owner(event.organization_id, event.user_id),
        NotificationType.MEMBER_ADDED,
        source_event(1, event.rev, event.time_ms, title=title, body="", data=json.dumps(data)),
    )


def _of_conversation(member: _Member, state: State) -> Notification:
    return Notification(
        digest_id("new_message", *member),
        Owner(member.organization_id, member.user_id),
        NotificationType.NEW_MESSAGE,
        state,
    )
