"""The service's side of a conversation, for tests of the client's state: its log, and the events and answers from it.

As in the real service, each change takes one rev. Events are built from the log when they are published, possibly later
than the change, and then show the messages, members and settings of that time.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec
from parley_client.contract import Conversation, Member, Message, SendMessageResponse, SyncMessagesResponse
from parley_client.events import (
    ConversationCreated,
    ConversationUpdated,
    Event,
    MemberAdded,
    MemberEvent,
    MemberRemoved,
    MemberUpdated,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    ReceiptUpdated,
)

CONVERSATION_ID = "conversation"
ME = "me"
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """One change, at its rev."""

    rev: int
    kind: str
    message_id: str = ""
    users: tuple[str, ...] = ()


@dataclass
class ConversationLog:
    """The service's side of one conversation, with events and answers for `ME`."""

    rev: int = 0
    name: str = "first"
    messages: dict[str, Message] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    published: int = 0

    @property
    def seq(self) -> int:
        """The seq of the latest message."""
        return len(self.messages)

    # Changes.

    def create(self, *users: str) -> None:
        """Creates the conversation."""
        self.members = {user: Member(user_id=user, role="owner" if user == users[0] else "member") for user in users}
        self._change("created")

    def send(self, sender: str, text: str, client_message_id: str = "") -> SendMessageResponse:
        """Appends a message; its sender has read up to it."""
        message_id = f"m{self.seq + 1}"
        self._change("message", message_id)
        self.messages[message_id] = Message(
            message_id=message_id,
            conversation_id=CONVERSATION_ID,
            seq=self.seq + 1,
            rev=self.rev,
            sender_id=sender,
            client_message_id=client_message_id,
            kind="text",
            text=text,
            create_time=self._now(),
        )
        message = self.messages[message_id]
        if sender in self.members:
            self.read(sender, message.seq)
        return SendMessageResponse(
            message_id=message_id, seq=message.seq, rev=message.rev, create_time=message.create_time
        )

    def edit(self, message_id: str, text: str) -> Message:
        """Replaces a message's text."""
        return self._change_message("edited", message_id, text=text, edit_time=self._now())

    def delete(self, message_id: str) -> Message:
        """Deletes a message, and leaves a tombstone."""
        return self._change_message("deleted", message_id, text="", delete_time=self._now())

    def add(self, *users: str) -> None:
        """Adds members, all in one change; earlier messages count as read."""
        self._change("added", users=users)
        for user in users:
            self.members[user] = Member(user_id=user, read_seq=self.seq, delivered_seq=self.seq)

    def remove(self, user: str) -> None:
        """Removes a member."""
        self._change("removed", users=(user,))
        del self.members[user]

    def set_role(self, user: str, role: str) -> None:
        """Changes a member's role."""
        self._change("updated", users=(user,))
        self.members[user] = msgspec.structs.replace(self.members[user], role=role)

    def rename(self, name: str) -> None:
        """Renames the conversation, a change of its settings."""
        self._change("settings")
        self.name = name

    def read(self, user: str, seq: int) -> ReceiptUpdated:
        """Moves a receipt, which takes no rev and is published at once."""
        member = self.members[user]
        self.members[user] = msgspec.structs.replace(
            member, read_seq=max(member.read_seq, seq), delivered_seq=max(member.delivered_seq, seq)
        )
        member = self.members[user]
        return ReceiptUpdated(
            conversation_id=CONVERSATION_ID,
            user_id=user,
            read_seq=member.read_seq,
            delivered_seq=member.delivered_seq,
        )

    # Events and answers.

    def publish(self, limit: int | None = None) -> list[Event]:
        """Returns the events of the unpublished entries, or of the first few of them."""
        end = len(self.entries) if limit is None else min(len(self.entries), self.published + limit)
        entries, self.published = self.entries[self.published : end], end
        return [event for entry in entries for event in self._events(entry)]

    def snapshot(self) -> Conversation:
        """Returns the conversation as `ME` sees it."""
        me = self.members.get(ME, Member(user_id=ME))
        return Conversation(
            conversation_id=CONVERSATION_ID,
            kind="group",
            name=self.name,
            seq=self.seq,
            rev=self.rev,
            members=list(self.members.values()),
            member_count=len(self.members),
            read_seq=me.read_seq,
            unread_count=max(0, self.seq - me.read_seq),
        )

    def sync(self, after_rev: int, page_size: int) -> SyncMessagesResponse:
        """Returns a page of the messages that changed after a rev."""
        changed = sorted((m for m in self.messages.values() if m.rev > after_rev), key=lambda message: message.rev)
        page = changed[:page_size]
        return SyncMessagesResponse(messages=page, conversation=self.snapshot(), has_more=len(changed) > len(page))

    def _events(self, entry: Entry) -> list[Event]:
        if entry.kind == "removed" and ME in entry.users:
            return [self._member_event(MemberRemoved, Member(user_id=ME), entry)]
        if ME not in self.members:
            return []
        if entry.kind == "message":
            return [MessageCreated(message=self.messages[entry.message_id])]
        if entry.kind in {"edited", "deleted"}:
            message = self.messages[entry.message_id]
            return [MessageUpdated(message=message) if message.delete_time is None else MessageDeleted(message=message)]
        if entry.kind in {"created", "settings"}:
            kind = ConversationCreated if entry.kind == "created" else ConversationUpdated
            return [kind(conversation=self.snapshot())]
        return self._member_events(entry)

    def _member_events(self, entry: Entry) -> list[Event]:
        events: list[Event] = []
        if entry.kind == "added" and ME in entry.users:
            events.append(ConversationCreated(conversation=self.snapshot()))
        kinds: dict[str, type[MemberEvent]] = {"added": MemberAdded, "removed": MemberRemoved, "updated": MemberUpdated}
        kind = kinds[entry.kind]
        for user in entry.users:
            member = self.members.get(user)
            if kind is MemberRemoved:
                events.append(self._member_event(kind, Member(user_id=user), entry))
            elif member is not None:
                events.append(self._member_event(kind, member, entry))
        return events

    def _member_event(self, kind: type[MemberEvent], member: Member, entry: Entry) -> Event:
        return kind(conversation_id=CONVERSATION_ID, member=member, rev=entry.rev)

    def _change_message(self, kind: str, message_id: str, **fields: object) -> Message:
        self._change(kind, message_id)
        changed = msgspec.structs.replace(self.messages[message_id], rev=self.rev, **fields)
        self.messages[message_id] = changed
        return changed

    def _change(self, kind: str, message_id: str = "", users: tuple[str, ...] = ()) -> None:
        self.rev += 1
        self.entries.append(replace(Entry(self.rev, kind), message_id=message_id, users=users))

    def _now(self) -> datetime:
        return _START + timedelta(seconds=self.rev)
