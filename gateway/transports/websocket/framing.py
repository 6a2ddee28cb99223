"""Frames WebSocket text messages as a server sends them (RFC 6455, section 5.2): unmasked and unfragmented.

Framing here, and not at each send, means that an event for a thousand connections is framed once, and that all frames
of a connection in one turn of the event loop go to the socket in one write.
"""

from __future__ import annotations

from typing import Final

_SHORT: Final = 126
_MEDIUM: Final = 1 << 16
_SHORT_HEADERS: Final = tuple(bytes((0x81, size)) for size in range(_SHORT))


def text_frame(payload: bytes) -> bytes:
    """Returns one text frame."""
    size = len(payload)
    if size < _SHORT:
        return _SHORT_HEADERS[size] + payload
    if size < _MEDIUM:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload
