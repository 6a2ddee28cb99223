"""The contracts stay compatible with the release before: `buf breaking` finds nothing, and would find a fault."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.earlier import NoHistoryError, earlier_release, extract

ROOT = Path(__file__).resolve().parents[3]
BUF = Path(sys.executable).with_name("buf")


def buf(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs buf."""
    return subprocess.run([BUF, *arguments], cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603


def workspace(folder: Path) -> Path:
    """Copies the contracts, with the rules and what they import, into a folder."""
    for name in ("protos", "third_party"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "buf.yaml", folder)
    return folder


def test_the_contracts_break_no_peer_of_the_release_before(tmp_path: Path) -> None:
    try:
        commit = earlier_release()
    except NoHistoryError as error:
        pytest.fail(str(error))
    extract(commit, tmp_path, "protos")
    shutil.copytree(ROOT / "third_party", tmp_path / "third_party")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    result = buf("breaking", "--against", str(tmp_path))
    assert (result.stdout, result.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("string text = 8;", "bytes text = 8;", "changed type"),
        ("string reply_to = 10", "string reply_to = 99", "was deleted"),
        ("  MESSAGE_KIND_AUDIO = 4;\n", "  MESSAGE_KIND_AUDIO = 44;\n", "was deleted"),
        ("int64 seq = 3;", "optional int64 seq = 3;", "changed cardinality"),
    ],
)
def test_a_breaking_change_is_found(tmp_path: Path, old: str, new: str, finding: str) -> None:
    before, changed = workspace(tmp_path / "before"), workspace(tmp_path / "changed")
    path = changed / "protos" / "parley" / "chat" / "v1" / "chat.proto"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    result = buf("breaking", "--against", str(before), cwd=changed)
    assert result.returncode != 0
    assert finding in result.stdout


def test_a_field_without_a_comment_is_found(tmp_path: Path) -> None:
    folder = workspace(tmp_path / "changed")
    path = folder / "protos" / "parley" / "stream" / "v1" / "stream.proto"
    text, count = re.subn(r"(?:  //.*\n)+(?=  string)", "", path.read_text(), count=1)
    assert count
    path.write_text(text)
    result = buf("lint", cwd=folder)
    assert result.returncode != 0
    assert "comment" in result.stdout
