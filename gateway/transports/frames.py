"""The framing of WebSocket text frames as a server writes them (RFC 6455, section 5.2): unmasked, unfragmented.

Made here, and not where each frame is sent, so that an event for a thousand connections is framed once, and all that
one connection gets in one turn of the event loop goes to the socket in one write.
"""

from __future__ import annotations

from typing import Final

_FINAL_TEXT: Final = 0x81
_SHORT: Final = 126
_MEDIUM: Final = 1 << 16


def text_frame(payload: bytes) -> bytes:
    """One text frame."""
    size = len(payload)
    if size < _SHORT:
        return bytes((_FINAL_TEXT, size)) + payload
    if size < _MEDIUM:
        return bytes((_FINAL_TEXT, 126, size >> 8, size & 0xFF)) + payload
    return bytes((_FINAL_TEXT, 127)) + size.to_bytes(8) + payload
