"""The rehearsal's requirements of the machine: tools, name resolution, certificates, package index."""

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
    """Checks the required tools and installs debootstrap by apt-get if needed. Raises RehearsalError."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise RehearsalError("the rehearsal needs root on Linux: run `sudo make docker-check`")
    for tool in _TOOLS:
        program(tool)
    if shutil.which("debootstrap") is None:
        _install_debootstrap()


def program(name: str) -> str:
    """Returns the absolute path of a program. Raises RehearsalError if it is not installed."""
    path = shutil.which(name)
    if path is None:
        raise RehearsalError(f"no {name}: install {_TOOLS.get(name, name)}")
    return path


def _install_debootstrap() -> None:
    if shutil.which("apt-get") is None:
        raise RehearsalError("no debootstrap, and no apt-get to install it")
    print("Installing debootstrap ...", flush=True)  # noqa: T201  # a program's progress
    for command in (["apt-get", "-qq", "update"], ["apt-get", "-qq", "install", "--yes", "debootstrap"]):
        process = subprocess.run(  # noqa: S603  # fixed commands
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode:
            raise RehearsalError(f"{' '.join(command)} failed: {process.stderr.strip()}")


def mirror(suite: str) -> str | None:
    """Returns the mirror that apt uses for a Debian release, or None for debootstrap's default."""
    if shutil.which("apt-get") is None:
        return None
    wanted = ["--format", "$(RELEASE)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(  # noqa: S603  # a fixed command
        [program("apt-get"), "indextargets", *wanted], capture_output=True, text=True, check=False
    )
    sources = [line.split("|") for line in listed.stdout.splitlines()]
    # Sources may call the release "stable"; the codename is known once the lists are downloaded.
    return next((uri for *names, component, uri in sources if suite in names and component == "main"), None)


def build_variables() -> dict[str, str]:
    """Returns the variables by which a build reaches this machine's package index; an engine has its own settings."""
    listed = subprocess.run(  # this interpreter
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    variables = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        setting = name.rpartition(".")[2]
        if setting in _INDEX_SETTINGS:
            variables[f"PIP_{setting.upper().replace('-', '_')}"] = value.strip("'")
    if Path(CERTIFICATES).exists():
        variables["PIP_CERT"] = CERTIFICATES
    return variables
