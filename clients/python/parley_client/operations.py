"""Which requests may be repeated when nobody knows whether they took effect, and why.

A repeatable request that was in flight when the connection ended is sent again on the next one, and is retried after
a retryable error. Any other fails with `ConnectionLostError`, and its caller decides.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """One op of the protocol."""

    name: str
    repeatable: bool
    why: str


_TABLE = (
    Operation("user.me", True, "reads"),
    Operation("user.search", True, "reads"),
    Operation("conversation.direct", True, "every call gets the same conversation"),
    Operation("conversation.create", False, "a repeat makes a second conversation"),
    Operation("conversation.get", True, "reads"),
    Operation("conversation.list", True, "reads"),
    Operation("conversation.update", False, "a repeat may undo what another has set since"),
    Operation("member.add", False, "a repeat may bring back who was removed since"),
    Operation("member.remove", False, "a repeat may remove who was added again since"),
    Operation("member.update", False, "a repeat may undo what another has set since"),
    Operation("message.send", True, "the clientMessageId makes a repeat return the first outcome, for ever"),
    Operation("message.list", True, "reads"),
    Operation("message.sync", True, "reads"),
    Operation("message.edit", False, "a repeat may undo an edit made on another device since"),
    Operation("message.delete", True, "a deletion is final: deleting what is deleted changes nothing"),
    Operation("receipt.read", True, "receipts only move forward"),
    Operation("receipt.delivered", True, "receipts only move forward"),
    Operation("typing.set", False, "after an interruption it is no longer true"),
    Operation("presence.set", True, "a choice of the user's own; repeating it is the same choice"),
    Operation("presence.get", True, "reads"),
    Operation("notification.list", True, "reads"),
    Operation("notification.read", True, "read once is read"),
    Operation("notification.delete", False, "a repeat is answered NOT_FOUND"),
    Operation("notification.readAll", False, "a repeat also marks what came in between, which nobody saw"),
    Operation("notification.unreadCount", True, "reads"),
    Operation("session.refresh", False, "the next connection is opened with the newer token"),
)

OPERATIONS = {operation.name: operation for operation in _TABLE}


def is_repeatable(op: str) -> bool:
    """Whether the request may be repeated; an op that this version does not know may not."""
    operation = OPERATIONS.get(op)
    return operation is not None and operation.repeatable
