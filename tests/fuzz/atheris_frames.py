"""Atheris on the decoders of frames: `python -m tests.fuzz.atheris_frames -max_total_time=60 CORPUS`.

Takes libFuzzer's options (https://llvm.org/docs/LibFuzzer.html#options). The first byte of an input chooses the
dialect. Exits with an error at the first frame that breaks a property, and writes it to a file.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["gateway", "chassis"]):
    from tests.fuzz.frames import DIALECTS, check_frame, frame_of

NAMES = sorted(DIALECTS)


def one_input(data: bytes) -> None:
    """Decodes an input as a frame: UTF-8 text, as the transport has checked."""
    if not data:
        return
    try:
        text = data[1:].decode()
    except UnicodeDecodeError:
        return
    wants_an_answer, number = divmod(data[0], len(NAMES))
    name = NAMES[number]
    check_frame(name, frame_of(name, text, "7" if wants_an_answer % 2 else ""))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
