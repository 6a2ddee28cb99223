"""The stored messages of one conversation; no I/O."""

from collections.abc import Iterator

from parley_client.contract import Message


class Timeline:
    """Messages by id, each as of its latest rev, in the order of seqs, which never change."""

    def __init__(self) -> None:
        self._messages: dict[str, Message] = {}
        self._last_id: str | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(sorted(self._messages.values(), key=lambda message: message.seq))

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._messages

    @property
    def last(self) -> Message | None:
        """The message with the highest seq."""
        return None if self._last_id is None else self._messages[self._last_id]

    @property
    def last_seq(self) -> int:
        """The highest seq; 0 if there is no message."""
        return 0 if self.last is None else self.last.seq

    def get(self, message_id: str) -> Message | None:
        """Returns a message, or None if it is not stored."""
        return self._messages.get(message_id)

    def put(self, message: Message) -> bool:
        """Stores a message unless the stored one is as new; returns whether it did."""
        stored = self._messages.get(message.message_id)
        if stored is not None and stored.rev >= message.rev:
            return False
        self._messages[message.message_id] = message
        if message.seq >= self.last_seq:
            self._last_id = message.message_id
        return True
