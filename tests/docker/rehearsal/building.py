"""Executes a Dockerfile's instructions as an engine does, with folders as roots.

Runs in its own mount namespace, so that its mounts end with it.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from tests.docker.context import sent
from tests.docker.dockerfile import Instruction, Stage
from tests.docker.plan import ROOT
from tests.docker.rehearsal.base import unpack
from tests.docker.rehearsal.errors import RehearsalError
from tests.docker.rehearsal.machine import CERTIFICATES, RESOLVING, program

_METADATA: Final = {"LABEL", "USER", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT"}
"""Instructions that change no file."""
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Build:
    """A build in progress.

    Attributes:
        folder: the folder for the stages' roots.
        base: the archive that replaces the base image.
        ignore: the text of .dockerignore.
        variables: the engine's variables for RUN, in addition to ENV.
        report: called with each step.
    """

    folder: Path
    base: Path
    ignore: str
    variables: Mapping[str, str]
    report: Callable[[str], None]
    roots: dict[str, Path] = field(default_factory=dict)

    def build(self, stage: Stage) -> Path:
        """Builds a stage; returns its root."""
        root = self.folder / (stage.name or "image")
        unpack(self.base, root)
        directory = PurePosixPath("/")
        environment: dict[str, str] = {}
        for instruction in stage.instructions:
            self.report(f"{instruction.name} {instruction.value}")
            match instruction.name:
                case "WORKDIR":
                    directory /= instruction.value
                    _inside(root, directory).mkdir(parents=True, exist_ok=True)
                case "ENV":
                    environment |= Stage(stage.base, stage.name, (instruction,)).environment
                case "RUN":
                    self._run(root, directory, environment, instruction.value)
                case "COPY":
                    self._copy(root, directory, instruction)
                case name if name not in _METADATA:
                    raise RehearsalError(f"the rehearsal does not support {name}")
        self.roots[stage.name] = root
        return root

    def _run(self, root: Path, directory: PurePosixPath, environment: Mapping[str, str], command: str) -> None:
        mounted = [path for path in (*RESOLVING, CERTIFICATES) if Path(path).exists()]
        for path in mounted:
            _inside(root, PurePosixPath(path)).touch()
            _call("mount", "--bind", path, str(_inside(root, PurePosixPath(path))))
        try:
            process = subprocess.run(  # noqa: S603  # the Dockerfile's command
                [program("chroot"), str(root), "/bin/sh", "-c", f"cd {shlex.quote(str(directory))} && {command}"],
                env={"PATH": _PATH, "HOME": "/root", **self.variables, **environment},
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            for path in mounted:
                _call("umount", str(_inside(root, PurePosixPath(path))))
        if process.returncode:
            last = "\n".join((process.stdout + process.stderr).strip().splitlines()[-15:])
            raise RehearsalError(f"RUN {command} ended with {process.returncode}:\n{last}")

    def _copy(self, root: Path, directory: PurePosixPath, instruction: Instruction) -> None:
        *sources, target = instruction.value.split()
        destination = _inside(root, directory / target)
        if stage := instruction.flags.get("from"):
            for source in sources:
                shutil.copytree(_inside(self.roots[stage], PurePosixPath(source)), destination, symlinks=True)
            return
        files = list(sent(ROOT, self.ignore))
        for source in sources:
            self._copy_from_context(files, source, destination)

    def _copy_from_context(self, files: list[Path], source: str, destination: Path) -> None:
        wanted = [file for file in files if source == "." or file == Path(source) or Path(source) in file.parents]
        if not wanted:
            raise RehearsalError(f"COPY {source}: no such file, or .dockerignore excludes it")
        for file in wanted:
            copied = destination / (file.name if file == Path(source) else file.relative_to(source))
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, copied)


def _inside(root: Path, path: PurePosixPath) -> Path:
    return root / path.relative_to("/")


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # fixed commands
