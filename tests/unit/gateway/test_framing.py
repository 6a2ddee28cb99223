"""Another implementation of WebSocket reads the text frames."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from gateway.transports.websocket.framing import text_frame


def read(data: bytes) -> Frame:
    reader = StreamReader()
    reader.feed_data(data)
    parsing: Generator[None, None, Frame] = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    frame: Frame = done.value.value
    return frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 70_000])
def test_a_frame_of_any_size_is_one_final_text_frame(size: int) -> None:
    payload = bytes(range(97, 123)) * (size // 26 + 1)
    frame = read(text_frame(payload[:size]))
    assert frame.opcode is Opcode.TEXT
    assert frame.fin
    assert bytes(frame.data) == payload[:size]
