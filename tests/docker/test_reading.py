"""Parsing of the Dockerfile and .dockerignore, as an engine does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docker.context import is_sent, sent
from tests.docker.dockerfile import stages

_DOCKERFILE = """\
# A comment.
FROM base:1 AS build
RUN first \\
    # A comment between.
    && second
COPY --from=elsewhere --chown=1:1 a b ./

FROM base:1
ENV A=1 \\
    B="two words"
HEALTHCHECK --interval=5s --retries=3 \\
    CMD ["check", "it"]
USER 1:1
USER 2:2
"""


def test_a_dockerfile_is_read_as_stages_of_instructions() -> None:
    build, image = stages(_DOCKERFILE)

    assert (build.base, build.name, image.name) == ("base:1", "build", "")
    assert [run.value for run in build.of("RUN")] == ["first && second"]
    assert [(copy.value, copy.flags) for copy in build.of("COPY")] == [
        ("a b ./", {"from": "elsewhere", "chown": "1:1"})
    ]


def test_the_image_s_metadata_is_found() -> None:
    image = stages(_DOCKERFILE)[-1]

    assert image.environment == {"A": "1", "B": "two words"}
    assert image.health_command == ["check", "it"]
    assert (image.last("USER") or image.instructions[0]).value == "2:2"
    assert image.last("CMD") is None


def test_a_health_check_in_shell_form_does_not_count() -> None:
    assert stages("FROM a:1\nHEALTHCHECK CMD check it\n")[0].health_command is None


@pytest.mark.parametrize(
    ("ignore", "path", "reaches"),
    [
        ("", "a", True),
        ("# a\n", "a", True),
        ("a", "a", False),
        ("a", "a/b/c", False),
        ("a", "b/a", True),
        ("**/a", "b/c/a", False),
        ("**/a", "a/b", False),
        ("*.py", "a.py", False),
        ("*.py", "b/a.py", True),
        ("*\n!a", "a/b", True),
        ("*\n!a/b", "a/c", False),
        ("*\n!a/b", "a/b", True),
        ("*\n!a\na/b", "a/b/c", False),
        ("!a\n*", "a", False),
        ("a?", "ab", False),
    ],
)
def test_the_last_matching_pattern_decides(ignore: str, path: str, reaches: bool) -> None:
    assert is_sent(path, ignore) is reaches


def test_folders_without_files_to_send_are_skipped(tmp_path: Path) -> None:
    for path in ("kept/deep/file", "kept/__pycache__/file", "left/deep/file", "partly/one", "partly/two"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()

    paths = {path.as_posix() for path in sent(tmp_path, "*\n!kept\n!partly/one\n**/__pycache__")}

    assert paths == {"kept/deep/file", "partly/one"}
