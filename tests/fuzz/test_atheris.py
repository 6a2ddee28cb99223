"""Atheris finds no error in the decoders within some seconds from valid frames, and finds a planted one."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from tests.fuzz.frames import DIALECTS, operations_of, request_text

SECONDS = 12
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no build for this system"
)


async def fuzz(corpus: Path, program: str, *options: str) -> tuple[int, str]:
    """Runs a fuzzer; returns its exit code and its output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *program.split(), f"-artifact_prefix={corpus}/", "-max_len=4096", *options, str(corpus)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode(errors="replace")


BODY = {
    **{"conversationId": "c", "text": "hi", "clientMessageId": "k", "userIds": ["u"], "seq": 1},
    **{"content": "hi", "tempId": 1, "messageId": "m", "isTyping": True, "targetUserId": 7},
    **{"userId": "ann", "receiverId": 7, "organizationId": "acme"},
}


async def test_no_frame_breaks_a_decoder(tmp_path: Path) -> None:
    for number, name in enumerate(sorted(DIALECTS)):
        for operation in operations_of(name):
            text = json.dumps(request_text(name, operation, BODY))
            (tmp_path / f"{number}-{operation}").write_bytes(bytes((number,)) + text.encode())
    code, said = await fuzz(tmp_path, "-m tests.fuzz.atheris_frames", f"-max_total_time={SECONDS}", "-seed=1")
    assert code == 0, said[-2_000:]
    assert "Done" in said


async def test_a_decoder_that_breaks_ends_the_run_with_an_error(tmp_path: Path) -> None:
    """A target that fails on one word shows that an error fails the test."""
    target = tmp_path / "target.py"
    target.write_text(
        "import atheris, sys\\n"
        "@atheris.instrument_func\\n"
        "def one(data):\\n"
        "    assert not data.startswith(b'boo')\\n"
        "atheris.Setup(sys.argv, one)\\n"
        "atheris.Fuzz()\\n".replace("\\n", "\n")
    )
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "word").write_text("boo")
    code, said = await fuzz(corpus, str(target), "-max_total_time=30", "-seed=1")
    assert code != 0
    assert "AssertionError" in said
