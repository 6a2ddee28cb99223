"""Executes a program that cannot outlive the process that started it. A script for `process` only.

The kernel kills the program when the thread that started it ends, for whatever reason. The child must request this
itself before it executes the program; doing so here rather than between fork and exec keeps Python code out of a
forked copy of a process with threads (such as gRPC's). Works on Linux only.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_CANNOT_RUN = 126


def main() -> None:
    """Replaces this process with the program: `launch.py <pid of the parent> <program> [arguments]`."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent ended before its child began")
    try:
        os.execv(program[0], program)  # noqa: S606 (the point is to have no shell)
    except OSError as error:
        sys.stderr.write(f"cannot run {program[0]}: {error.strerror}\n")
        sys.exit(_CANNOT_RUN)


if __name__ == "__main__":
    main()
