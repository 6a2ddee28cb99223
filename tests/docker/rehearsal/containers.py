"""Runs processes like containers: in the image's read-only root, as an unprivileged user.

Runs in its own mount, process and network namespaces. The only network is loopback, on which each container of the
stack has its own address and host name.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from tests.docker.dockerfile import Stage
from tests.docker.plan import PROCESSES, Plan
from tests.docker.rehearsal.machine import program

_SET_FLAGS: Final = 0x8914  # SIOCSIFFLAGS
_UP: Final = 0x1 | 0x40  # IFF_UP and IFF_RUNNING
_WILDCARD: Final = "0.0.0.0:"


def raise_loopback() -> None:
    """Sets the loopback interface up; it is down in a new network namespace."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))


class Engine:
    """Stands in for a container engine: assigns names and addresses, and starts processes in the image.

    Args:
        root: the image's root folder.
        image: the image's metadata from the Dockerfile.
        plan: the stack.
    """

    def __init__(self, root: Path, image: Stage, plan: Plan) -> None:
        self._root = root
        self._image = image
        self._plan = plan
        self.addresses = {name: f"127.0.0.{number}" for number, name in enumerate(plan.containers, 2)}

    def prepare(self, scratch: Path) -> None:
        """Makes the mounts of an engine, a read-only root and the containers' host names."""
        hosts = scratch / "hosts"
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in self.addresses.items())]
        hosts.write_text("\n".join(lines) + "\n")
        (self._root / "etc" / "hosts").touch()
        _mount("--bind", str(self._root), str(self._root))
        _mount("-t", "proc", "proc", str(self._root / "proc"))
        _mount("-t", "tmpfs", "-o", "size=64m,mode=1777", "tmpfs", str(self._root / "tmp"))
        for path in (self._root / "etc" / "hosts", Path("/etc/hosts")):
            _mount("--bind", str(hosts), str(path))
        _mount("-o", "remount,bind,ro", str(self._root))

    def environment(self, name: str) -> dict[str, str]:
        """Returns a container's variables. All share one network, so wildcard addresses become the container's own."""
        variables = {
            variable: value.replace(_WILDCARD, f"{self.addresses[name]}:") if variable.endswith("_LISTEN") else value
            for variable, value in self._plan.environment(name).items()
        }
        return {**self._image.environment, **variables}

    def start(self, name: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Starts a Parley process with the image's entry point and the container's command."""
        entry_point = self._image.last("ENTRYPOINT")
        arguments = (entry_point and entry_point.arguments) or []
        command = [*arguments, *self._plan.containers[name]["command"]]
        return subprocess.Popen(  # noqa: S603  # from the Dockerfile and compose.yaml
            self._confined(command), env=self.environment(name), stdout=output, stderr=output
        )

    def run(
        self, name: str, command: Sequence[str], more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in a container and waits for it."""
        return subprocess.run(  # noqa: S603  # from the Dockerfile and compose.yaml
            self._confined(command),
            env={**self.environment(name), **(more or {})},
            capture_output=True,
            text=True,
            check=False,
        )

    def run_as_root(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Runs a command in the image's root with all privileges."""
        return subprocess.run(  # noqa: S603  # fixed commands
            [program("chroot"), str(self._root), *command],
            env=self._image.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def health(self, name: str) -> subprocess.CompletedProcess[str]:
        """Runs the image's health check in a container."""
        return self.run(name, self._image.health_command or ["false"])

    def _confined(self, command: Sequence[str]) -> list[str]:
        user = self._image.last("USER")
        identity, _, group = (user.value if user else "0:0").partition(":")
        privileges = ["--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        # Privileges are dropped after chroot, which needs them.
        confined = ["setpriv", f"--reuid={identity}", f"--regid={group}", *privileges]
        return [program("chroot"), str(self._root), *confined, *command]


def process_names(plan: Plan) -> list[str]:
    """Returns the names of Parley's processes in the stack."""
    return [name for name in PROCESSES if name in plan.containers]


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)  # noqa: S603, S607  # fixed commands
