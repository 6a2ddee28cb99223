"""Atheris on the decoder of frames: `python -m tests.fuzz.atheris_frames -max_total_time=60 CORPUS`.

Takes libFuzzer's options (https://llvm.org/docs/LibFuzzer.html#options). Ends with an error at the first frame of
which something doesn't hold, and writes it to a file.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["gateway", "chassis"]):
    from tests.fuzz.frames import check_frame


def one_input(data: bytes) -> None:
    """Decodes what came as a frame would: text that is UTF-8, as the transport has checked."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    check_frame(text)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
