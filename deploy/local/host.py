"""Properties of the machine that runs the embedded servers."""

import os
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Host:
    """A machine: its search path for programs, platform and processor features."""

    search_path: str
    system: str = field(default_factory=platform.system)
    architecture: str = field(default_factory=platform.machine)
    cpuinfo: Path = Path("/proc/cpuinfo")

    @classmethod
    def current(cls) -> "Host":
        """Returns this machine.

        Its search path omits the interpreter's own folder: the wheels install wrapper scripts there, which would stand
        between the supervisor and the server.
        """
        own = Path(sys.executable).parent
        folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
        return cls(os.pathsep.join(folder for folder in folders if Path(folder) != own))

    def lacks_avx(self) -> bool:
        """Whether the processor is known to lack AVX, which MongoDB needs from version 5 on (x86 only)."""
        if self.architecture not in {"x86_64", "AMD64"} or not self.cpuinfo.exists():
            return False
        lines = self.cpuinfo.read_text().splitlines()
        flags = [line.partition(":")[2].split() for line in lines if line.startswith("flags")]
        return bool(flags) and "avx" not in flags[0]
