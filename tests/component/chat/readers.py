"""A model of a reader of a conversation, who follows it live, catches up after an absence, or starts without state."""

from __future__ import annotations

from dataclasses import dataclass, field

from parley.chat.v1 import chat_pb2, event_pb2

from tests.component.chat.running import Person


@dataclass
class Reader:
    """A reader's state: messages by seq, members by id, and the rev up to which it is complete."""

    messages: dict[int, chat_pb2.Message] = field(default_factory=dict)
    members: dict[str, tuple[int, chat_pb2.Member]] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    rev: int = 0

    def view(self) -> tuple[list[tuple[object, ...]], list[tuple[str, int, int, int]]]:
        """Returns what all readers must agree on: messages with rev and content, members with role and marks."""
        messages: list[tuple[object, ...]] = [
            (
                m.seq,
                m.message_id,
                m.rev,
                m.text,
                m.HasField("delete_time"),
                m.pinned,
                m.forwarded_from.message_id,
                [(reaction.emoji, tuple(reaction.user_ids)) for reaction in m.reactions],
            )
            for _, m in sorted(self.messages.items())
        ]
        members = [(key, int(m.role), m.read_seq, m.delivered_seq) for key, (_, m) in sorted(self.members.items())]
        return messages, members

    def take_message(self, message: chat_pb2.Message) -> None:
        """Replaces a message unless the known one is newer."""
        known = self.messages.get(message.seq)
        if known is None or message.rev >= known.rev:
            self.messages[message.seq] = message
        self.rev = max(self.rev, message.rev)

    def take_conversation(self, conversation: chat_pb2.Conversation) -> None:
        """Replaces the members by those of a conversation, unless the known ones are newer."""
        if conversation.rev >= self.rev or not self.members:
            self.members = {member.user_id: (conversation.rev, member) for member in conversation.members}
        self.rev = max(self.rev, conversation.rev)

    async def catch_up(self, person: Person, conversation_id: str, page_size: int) -> None:
        """Fetches all changes after this reader's rev, page by page, as a reconnecting client does."""
        while True:
            page = await person.sync(conversation_id, self.rev, page_size)
            assert [m.rev for m in page.messages] == sorted({m.rev for m in page.messages})
            assert all(message.rev > self.rev for message in page.messages)
            assert page.messages or not page.has_more
            for message in page.messages:
                self.take_message(message)
            if not page.has_more:
                self.take_conversation(page.conversation)
                return

    def apply(self, event: event_pb2.Event) -> None:
        """Applies a live event, which may be known already or older than the state."""
        match event.WhichOneof("payload"):
            case "message_created" | "message_updated" | "message_deleted" as kind:
                self.take_message(getattr(event, kind).message)
            case "conversation_created":
                self.take_conversation(event.conversation_created.conversation)
            case "member_added" | "member_updated" as kind:
                change = getattr(event, kind)
                self._take_member(change.member, change.rev)
            case "member_removed":
                removed = event.member_removed
                self.gone[removed.member.user_id] = removed.rev
                known = self.members.get(removed.member.user_id)
                if known is not None and known[0] < removed.rev:
                    del self.members[removed.member.user_id]
                self.rev = max(self.rev, removed.rev)
            case "receipt_updated":
                self._take_receipt(event.receipt_updated)

    def _take_member(self, member: chat_pb2.Member, rev: int) -> None:
        known = self.members.get(member.user_id)
        if rev > self.gone.get(member.user_id, 0) and (known is None or rev > known[0]):
            if known is not None:
                member.read_seq = max(member.read_seq, known[1].read_seq)
                member.delivered_seq = max(member.delivered_seq, known[1].delivered_seq)
            self.members[member.user_id] = (rev, member)
        self.rev = max(self.rev, rev)

    def _take_receipt(self, receipt: event_pb2.ReceiptUpdated) -> None:
        known = self.members.get(receipt.user_id)
        if known is not None:
            known[1].read_seq = max(known[1].read_seq, receipt.read_seq)
            known[1].delivered_seq = max(known[1].delivered_seq, receipt.delivered_seq)
