"""The framing of WebSocket text frames as a server writes them (RFC 6455, section 5.2): unmasked, unfragmented.

Made here, and not where each frame is sent, so that an event for a thousand connections is framed once, and all that
one connection gets in one turn of the event loop goes to the socket in one write.
"""

from __future__ import annotations

from typing import Final

_SHORT: Final = 126
_MEDIUM: Final = 1 << 16
_SHORT_HEADS: Final = tuple(bytes((0x81, size)) for size in range(_SHORT))


def text_frame(payload: bytes) -> bytes:
    """One text frame."""
    size = len(payload)
    if size < _SHORT:
        return _SHORT_HEADS[size] + payload
    if size < _MEDIUM:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload
