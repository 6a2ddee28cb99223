"""Which folders are dialects."""

from __future__ import annotations

from pathlib import Path

import pytest

import gateway.dialects
from gateway.dialects.registry import NotAPackageError, all_views


def test_a_dialect_without_an_init_file_is_an_error_that_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pager"
    folder.mkdir()
    (folder / "dialect.py").touch()
    monkeypatch.setattr(gateway.dialects, "__path__", [*gateway.dialects.__path__, str(tmp_path)])
    with pytest.raises(NotAPackageError, match=r"pager has a dialect\.py, but no __init__\.py"):
        all_views()
