"""The ops of the protocol: which the client may repeat, why, and which carry a `requestId`.

A repeatable request that was in flight when the connection ended is sent again on the next connection, and is retried
after a retryable error. Any other request fails with `ConnectionLostError`, and its caller decides.
"""

from typing import NamedTuple

from parley_client.contract import CHANGES, READS


class Operation(NamedTuple):
    """One op of the protocol.

    Attributes:
        repeatable: whether the client may send it again without knowing whether it took effect.
        why: the reason for `repeatable`.
        has_request_id: whether its body carries a `requestId`, by which the server recognizes a repeat. Reads and
            signals need none; a message has its clientMessageId.
    """

    repeatable: bool
    why: str
    has_request_id: bool = False


_READ = Operation(True, "a read")
_CHANGE = Operation(True, "the requestId makes every repeat return the first outcome", has_request_id=True)

OPERATIONS: dict[str, Operation] = {
    **dict.fromkeys(sorted(READS), _READ),
    **dict.fromkeys(sorted(CHANGES), _CHANGE),
    "message.forward": Operation(True, "the clientMessageId makes every repeat return the first outcome"),
    "message.schedule": Operation(True, "the clientMessageId makes every repeat return the first outcome"),
    "message.send": Operation(True, "the clientMessageId makes every repeat return the first outcome"),
    "receipt.read": Operation(True, "receipts only move forward"),
    "receipt.delivered": Operation(True, "receipts only move forward"),
    "typing.set": Operation(False, "out of date after an interruption"),
    "session.refresh": Operation(False, "the next connection opens with the newer token"),
    "session.ping": Operation(False, "about this connection"),
}


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
