"""The ops of the protocol: which the client may repeat, why, and which carry a `requestId`.

A repeatable request that was in flight when the connection ended is sent again on the next connection, and is retried
after a retryable error. Any other request fails with `ConnectionLostError`, and its caller decides.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """One op of the protocol.

    Attributes:
        name: its name on the wire.
        repeatable: whether the client may send it again without knowing whether it took effect.
        why: the reason for `repeatable`.
        has_request_id: whether its body carries a `requestId`, by which the server recognizes a repeat. Reads and
            signals need none; a message has its clientMessageId.
    """

    name: str
    repeatable: bool
    why: str
    has_request_id: bool = False


def _read(name: str) -> Operation:
    return Operation(name, repeatable=True, why="a read")


def _change(name: str, why: str, *, repeatable: bool) -> Operation:
    return Operation(name, repeatable, why, has_request_id=True)


_TABLE = (
    _read("user.me"),
    _read("user.search"),
    _change("conversation.direct", "every call returns the same conversation", repeatable=True),
    _change("conversation.create", "a repeat creates a second conversation", repeatable=False),
    _read("conversation.get"),
    _read("conversation.list"),
    _change("conversation.update", "a repeat may overwrite a later change", repeatable=False),
    _change("member.add", "a repeat may add back a member removed since", repeatable=False),
    _change("member.remove", "a repeat may remove a member added again since", repeatable=False),
    _change("member.update", "a repeat may overwrite a later change", repeatable=False),
    Operation("message.send", True, "the clientMessageId makes every repeat return the first outcome"),
    _read("message.list"),
    _read("message.sync"),
    _change("message.edit", "a repeat may overwrite a later edit from another device", repeatable=False),
    _change("message.delete", "deleting a deleted message changes nothing", repeatable=True),
    Operation("receipt.read", True, "receipts only move forward"),
    Operation("receipt.delivered", True, "receipts only move forward"),
    Operation("typing.set", False, "out of date after an interruption"),
    _change("presence.set", "a repeat sets the same status", repeatable=True),
    _read("presence.get"),
    _read("notification.list"),
    _change("notification.read", "reading a read notification changes nothing", repeatable=True),
    _change("notification.delete", "a repeat fails with NOT_FOUND", repeatable=False),
    _change("notification.readAll", "a repeat also marks notifications that arrived since", repeatable=False),
    _read("notification.unreadCount"),
    Operation("session.refresh", False, "the next connection opens with the newer token"),
)

OPERATIONS = {operation.name: operation for operation in _TABLE}


def is_repeatable(op: str) -> bool:
    """Returns whether the client may repeat a request; False for an op that this version does not know."""
    operation = OPERATIONS.get(op)
    return operation is not None and operation.repeatable


def takes_request_id(op: str, *, repeatable: bool) -> bool:
    """Returns whether a request needs a `requestId`.

    Args:
        op: the request's name.
        repeatable: whether the client will repeat it. A repeatable request of an unknown op may be a change, so it
            gets one.
    """
    operation = OPERATIONS.get(op)
    return repeatable if operation is None else operation.has_request_id
