"""What the embedded servers need to know of the machine that they run on."""

import os
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine: where programs are searched, what its processor can do."""

    search_path: str
    system: str = field(default_factory=platform.system)
    architecture: str = field(default_factory=platform.machine)
    cpuinfo: Path = Path("/proc/cpuinfo")

    @classmethod
    def current(cls) -> "Machine":
        """Describe this machine.

        The folder of our own interpreter is left out of the search path: the wheels put wrapper scripts there, which
        would stand between us and the server that we mean to supervise.
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
