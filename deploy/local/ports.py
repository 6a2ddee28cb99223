"""Claims ports so that no other stack on this machine takes them, from selection until the stack stops.

Asking the kernel for a free port and passing it to a child leaves a gap in which another process, or an outgoing
connection, may take it. So ports come from below the ephemeral range, and each is claimed with a lock file that every
stack of this user sees; the kernel releases the claims of a killed stack.
"""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import Any

import psutil

from deploy.local.errors import StackError

_FIRST_PORT = 20000
_LAST_PORT = 29999
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOOPBACK = "127.0.0.1"


class PortClaims:
    """The claimed ports of one stack."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.gettempdir()) / f"parley-ports-{os.getuid()}"
        self._descriptors: list[int] = []

    def claim(self, port: int) -> int:
        """Claims a given port.

        Raises:
            StackError: the port is taken; the text names the owner if it is visible.
        """
        if not self._try_claim(port):
            raise StackError(f"Port {port} is taken{_owner_text(port)}. Free it, or choose another with --port.")
        return port

    def claim_any(self) -> int:
        """Claims any free port."""
        candidates = list(range(_FIRST_PORT, min(_LAST_PORT, _below_ephemeral()) + 1))
        random.shuffle(candidates)
        for port in candidates:
            if self._try_claim(port):
                return port
        raise StackError(f"No port between {_FIRST_PORT} and {_LAST_PORT} is free.")

    def release(self) -> None:
        """Releases all claims. Idempotent."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _try_claim(self, port: int) -> bool:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        if not _can_bind(port):
            os.close(descriptor)
            return False
        self._descriptors.append(descriptor)
        return True


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: lingering connections of an earlier server do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as error:
            raise StackError(f"This user may not bind port {port}. Choose one above 1023 with --port.") from error
        except OSError:
            return False
    return True


def _below_ephemeral() -> int:
    try:
        first = int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _LAST_PORT
    # On some machines the ephemeral range starts below ours; then use ours anyway.
    return first - 1 if first > _FIRST_PORT else _LAST_PORT


def _owner_text(port: int) -> str:
    try:
        owners = {connection.pid for connection in psutil.net_connections("tcp") if _listens(connection, port)}
        names = sorted(f"{psutil.Process(pid).name()} (process {pid})" for pid in owners if pid)
    except psutil.Error:
        return ""
    return f" by {' and '.join(names)}" if names else ""


def _listens(connection: Any, port: int) -> bool:
    return bool(connection.status == psutil.CONN_LISTEN and connection.laddr[1] == port)
