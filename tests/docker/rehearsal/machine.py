"""What a rehearsal needs of the machine, and what an engine would take from it: names, certificates, package index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.docker.rehearsal.errors import RehearsalError

RESOLVING: Final = ("/etc/resolv.conf", "/etc/hosts")
CERTIFICATES: Final = "/etc/ssl/certs/ca-certificates.crt"
_TOOLS: Final = {"unshare": "util-linux", "mount": "mount", "chroot": "coreutils", "tar": "tar"}
_INDEX_SETTINGS: Final = {"index-url", "proxy", "trusted-host", "default-timeout"}
_PROXIES: Final = ("http_proxy", "https_proxy", "no_proxy")


def prepare() -> None:
    """Sees to it that everything is there; installs debootstrap where apt-get can. Raises RehearsalError."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise RehearsalError("only root on Linux can make a root of its own: run `sudo make docker-check`")
    for tool in _TOOLS:
        program(tool)
    if shutil.which("debootstrap") is None:
        _install_debootstrap()


def program(name: str) -> str:
    """Where a program is on this machine, for whoever runs it with another PATH. Raises RehearsalError."""
    found = shutil.which(name)
    if found is None:
        raise RehearsalError(f"there is no {name}: install {_TOOLS.get(name, name)}")
    return found


def _install_debootstrap() -> None:
    if shutil.which("apt-get") is None:
        raise RehearsalError("there is no debootstrap, and no apt-get to install it with")
    print("Installing debootstrap ...", flush=True)  # noqa: T201  # a program's progress
    for command in (["apt-get", "-qq", "update"], ["apt-get", "-qq", "install", "--yes", "debootstrap"]):
        done = subprocess.run(  # noqa: S603  # fixed commands
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RehearsalError(f"{' '.join(command)} failed: {done.stderr.strip()}")


def mirror(suite: str) -> str | None:
    """Where apt finds a release of Debian on this machine; None for debootstrap's own default."""
    if shutil.which("apt-get") is None:
        return None
    wanted = ["--format", "$(RELEASE)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(  # noqa: S603  # a fixed command
        [program("apt-get"), "indextargets", *wanted], capture_output=True, text=True, check=False
    )
    sources = [line.split("|") for line in listed.stdout.splitlines()]
    # The codename is known once the lists have been fetched; what sources call the release may be "stable".
    return next((uri for *names, component, uri in sources if suite in names and component == "main"), None)


def build_variables() -> dict[str, str]:
    """How a build reaches the package index from this machine; an engine is told so by its own configuration."""
    listed = subprocess.run(  # our own interpreter
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    told = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        setting = name.rpartition(".")[2]
        if setting in _INDEX_SETTINGS:
            told[f"PIP_{setting.upper().replace('-', '_')}"] = value.strip("'")
    if Path(CERTIFICATES).exists():
        told["PIP_CERT"] = CERTIFICATES
    return told
