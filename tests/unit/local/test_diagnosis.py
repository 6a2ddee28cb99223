"""The end of a log as quoted in errors."""

from pathlib import Path

from deploy.local.exit_diagnosis import last_lines, quote


def test_only_the_last_lines_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "chat-1.log"
    log.write_text("\n".join(f"line {number}" for number in range(100_000)) + "\n\n")
    assert last_lines(log, 2) == ["line 99998", "line 99999"]


def test_a_long_line_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    # A traceback within a line of JSON: what failed comes first, why comes last.
    shown = quote(['{"event": "process_failed", ' + "x" * 5000 + "KeyError: colour"], tmp_path / "chat-1.log")
    assert "process_failed" in shown
    assert "KeyError: colour" in shown
    assert len(shown) < 1000


def test_an_empty_or_missing_log_is_reported_as_empty(tmp_path: Path) -> None:
    log = tmp_path / "chat-1.log"
    assert quote(last_lines(log), log) == f" Its log is empty ({log})."


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    log = tmp_path / "chat-1.log"
    log.write_bytes(b"\xff\xfe broken\n")
    assert "broken" in quote(last_lines(log), log)
