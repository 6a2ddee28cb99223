"""Why a process ended, in a sentence that says what to do: read from its exit code and the end of its log."""

import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

_MISSING_LIBRARY = re.compile(r"error while loading shared libraries: (\S+?):")
_NOT_FOUND = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)
_TAIL_BYTES = 65_536
_LONGEST_LINE = 600

_CAUSES_IN_LOG = (
    (
        re.compile(r"version `GLIBC\S*' not found"),
        "It was built for a newer system than this one. Use a newer system, or install the program for this one.",
    ),
    (
        re.compile(r"Exec format error"),
        "It was built for another kind of machine. Install the program for this one.",
    ),
    (
        re.compile(r"address already in use|port is taken", re.IGNORECASE),
        "Another program took its port after it was chosen. Start again.",
    ),
    (
        re.compile(r"No space left on device"),
        "The disk is full.",
    ),
)
_CAUSES_BY_SIGNAL: Mapping[int, str] = {
    signal.SIGILL: "It uses instructions that this processor lacks (MongoDB 5 and newer need AVX).",
    signal.SIGKILL: "If nobody killed it, the machine ran out of memory.",
}

# The Debian and Ubuntu packages of the libraries that the embedded servers link to.
_PACKAGES = {
    "libcurl.so.4": "libcurl4",
    "liblzma.so.5": "liblzma5",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "libgcc_s.so.1": "libgcc-s1",
    "libresolv.so.2": "libc6",
}


def last_lines(log: Path, count: int = 12) -> list[str]:
    """Return the end of a log; none if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]


def explain_exit(name: str, program: str, returncode: int, log: Path) -> str:
    """Say in one line how a process ended, and why as far as can be told."""
    cause = _cause(program, returncode, "\n".join(last_lines(log)))
    return f"{name} {_ending(returncode)}.{' ' + cause if cause else ''}"


def quote(lines: list[str], log: Path) -> str:
    """Return the lines as an indented block below a sentence, with where to read on."""
    if not lines:
        return f" Its log is empty ({log})."
    return f" Its log ({log}) ends:\n" + "\n".join(f"    {_shortened(line)}" for line in lines)


def _shortened(line: str) -> str:
    # A log line with a traceback says what happened at its beginning, and why at its end.
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[: _LONGEST_LINE // 3]} ... {line[-_LONGEST_LINE * 2 // 3 :]}"


def _ending(returncode: int) -> str:
    if returncode >= 0:
        return f"ended with code {returncode}"
    return f"was ended by {signal.Signals(-returncode).name}"


def _cause(program: str, returncode: int, tail: str) -> str:
    missing = _MISSING_LIBRARY.search(tail)
    if missing:
        return _name_libraries(program, missing.group(1))
    for pattern, sentence in _CAUSES_IN_LOG:
        if pattern.search(tail):
            return sentence
    return _CAUSES_BY_SIGNAL.get(-returncode, "")


def _name_libraries(program: str, first: str) -> str:
    libraries = sorted({first, *_libraries_not_found(program)})
    packages = sorted({_PACKAGES[library] for library in libraries if library in _PACKAGES})
    sentence = f"{program} needs {', '.join(libraries)}, which this system does not have."
    if packages:
        return f"{sentence} On Debian and Ubuntu: apt-get install {' '.join(packages)}."
    return f"{sentence} Install the package that has it."


def _libraries_not_found(program: str) -> list[str]:
    # The loader stops at the first; ldd names all.
    try:
        listing = subprocess.run(  # noqa: S603 (the program is the one that we just ran)
            ["ldd", program],  # noqa: S607 (wherever the system has it)
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return _NOT_FOUND.findall(listing)
