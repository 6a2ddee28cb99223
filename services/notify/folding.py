"""What chat's events mean for notifications: a batch of events, folded into one change for each notification.

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
    """A message was sent. `rev` is the conversation's; `text` what the notification says of it."""

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
    """A message was edited, or deleted."""

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
    """A member has read everything up to a seq."""

    organization_id: str
    conversation_id: str
    user_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """A user was added to a conversation, of which they have read everything up to `read_seq`."""

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
    """What a batch of events comes to.

    Attributes:
        changes: what to join to notifications; at most one for each.
        deletions: the rev at which messages were deleted, by the subject that their mentions have.
    """

    changes: list[Notification] = field(default_factory=list)
    deletions: dict[str, int] = field(default_factory=dict)


def fold(events: Iterable[ChatEvent]) -> Folded:
    """Folds a batch of events. Folding in parts and joining the parts comes to the same."""
    folding = _Folding()
    for event in events:
        folding.add(event)
    return folding.result()


class _Member(NamedTuple):
    """Whose notification of which conversation."""

    organization_id: str
    user_id: str
    conversation_id: str


class _Audience(NamedTuple):
    """Those who are told of a message. Most messages of a conversation have the same, and are folded just once."""

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
            told = set(event.recipients).difference(event.muted, (event.sender_id,))
            for user_id in told.intersection(event.mentions):
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
        known = self._states.get(member)
        self._states[member] = state if known is None else known.join(state)

    def result(self) -> Folded:
        for audience, sent_by in self._sent_by.items():
            self._spread(audience, sent_by)
        changes = [_of_conversation(member, state) for member, state in self._states.items() if state != EMPTY]
        return Folded([*changes, *self._singles.values()], self._deletions)

    def _spread(self, audience: _Audience, sent_by: dict[str, list[MessageSent]]) -> None:
        """Gives each recipient what all others wrote; whoever wrote or muted is done with what was written then."""
        news = {sender_id: _news(events) for sender_id, events in sent_by.items()}
        on_others = joined(news.values())
        exceptions = dict.fromkeys(audience.muted, State(read_seq=on_others.last_seq))
        for sender_id in news.keys() - exceptions.keys():
            heard = joined(state for other_id, state in news.items() if other_id != sender_id)
            exceptions[sender_id] = heard.join(State(read_seq=news[sender_id].last_seq))
        for user_id in audience.recipients:
            self._join(audience, user_id, exceptions.get(user_id, on_others))


def _news(events: list[MessageSent]) -> State:
    """What messages mean for those who are to hear of them; of all but the latest only the numbers count."""
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
