"""Explains why a process exited, from its exit code and the end of its log."""

import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

_MISSING_LIBRARY = re.compile(r"error while loading shared libraries: (\S+?):")
_NOT_FOUND = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)
_TAIL_BYTES = 65_536
_MAX_LINE_CHARACTERS = 600

_CAUSES_IN_LOG = (
    (
        re.compile(r"version `GLIBC\S*' not found"),
        "It was built for a newer system. Use a newer system, or install a build for this one.",
    ),
    (
        re.compile(r"Exec format error"),
        "It was built for another CPU architecture. Install a build for this machine.",
    ),
    (
        re.compile(r"address already in use|port is taken", re.IGNORECASE),
        "Another program took its port. Start again.",
    ),
    (
        re.compile(r"No space left on device"),
        "The disk is full.",
    ),
)
_CAUSES_BY_SIGNAL: Mapping[int, str] = {
    signal.SIGILL: "It uses instructions that this processor lacks (MongoDB 5 and newer need AVX).",
    signal.SIGKILL: "Unless someone killed it, the machine ran out of memory.",
}

# Debian and Ubuntu packages of the libraries that the embedded servers link to.
_PACKAGES = {
    "libcurl.so.4": "libcurl4",
    "liblzma.so.5": "liblzma5",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "libgcc_s.so.1": "libgcc-s1",
    "libresolv.so.2": "libc6",
}


def last_lines(log: Path, count: int = 12) -> list[str]:
    """Returns the last non-empty lines of a log; an empty list if it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]


def explain_exit(name: str, program: str, returncode: int, log: Path) -> str:
    """Returns one line on how a process ended and, if known, why."""
    cause = _cause(program, returncode, "\n".join(last_lines(log)))
    return f"{name} {_exit_text(returncode)}.{' ' + cause if cause else ''}"


def quote(lines: list[str], log: Path) -> str:
    """Returns the lines as an indented block with the log's path, to append to an error."""
    if not lines:
        return f" Its log is empty ({log})."
    return f" Its log ({log}) ends:\n" + "\n".join(f"    {_shortened(line)}" for line in lines)


def _shortened(line: str) -> str:
    # A log line with a traceback starts with the event and ends with the cause.
    if len(line) <= _MAX_LINE_CHARACTERS:
        return line
    return f"{line[: _MAX_LINE_CHARACTERS // 3]} ... {line[-_MAX_LINE_CHARACTERS * 2 // 3 :]}"


def _exit_text(returncode: int) -> str:
    if returncode >= 0:
        return f"ended with code {returncode}"
    return f"was ended by {signal.Signals(-returncode).name}"


def _cause(program: str, returncode: int, tail: str) -> str:
    missing = _MISSING_LIBRARY.search(tail)
    if missing:
        return _name_libraries(program, missing.group(1))
    for pattern, cause in _CAUSES_IN_LOG:
        if pattern.search(tail):
            return cause
    return _CAUSES_BY_SIGNAL.get(-returncode, "")


def _name_libraries(program: str, first: str) -> str:
    libraries = sorted({first, *_libraries_not_found(program)})
    packages = sorted({_PACKAGES[library] for library in libraries if library in _PACKAGES})
    problem = f"{program} needs {', '.join(libraries)}, which this system does not have."
    if packages:
        return f"{problem} On Debian and Ubuntu: apt-get install {' '.join(packages)}."
    return f"{problem} Install the packages that contain them."


def _libraries_not_found(program: str) -> list[str]:
    # The loader stops at the first missing library; ldd lists all.
    try:
        listing = subprocess.run(  # noqa: S603 (the program that just ran)
            ["ldd", program],  # noqa: S607 (found on the PATH)
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return _NOT_FOUND.findall(listing)
