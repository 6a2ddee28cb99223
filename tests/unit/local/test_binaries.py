"""Finding the servers' programs, and the errors where there are none."""

import os
import stat
from pathlib import Path

import pytest

from deploy.local.binaries import ENVOY, MONGOD, VALKEY, Server, find_server
from deploy.local.errors import StackError
from deploy.local.host import Host

NOWHERE = "/nonexistent"


def program(folder: Path, name: str) -> Path:
    """Creates an executable in a folder."""
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def cpu(folder: Path, flags: str) -> Path:
    """Writes a cpuinfo file with these flags."""
    path = folder / "cpuinfo"
    path.write_text(f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\nbugs\t\t: none\n")
    return path


@pytest.mark.parametrize(
    ("server", "name"),
    [(MONGOD, "mongod"), (VALKEY, "valkey-server"), (VALKEY, "redis-server"), (ENVOY, "envoy")],
)
def test_programs_on_the_path_come_first(tmp_path: Path, server: Server, name: str) -> None:
    path = program(tmp_path, name)
    assert find_server(server, Host(str(tmp_path), "Darwin", "arm64")) == path


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the wheels are for x86_64")
@pytest.mark.parametrize("server", [MONGOD, VALKEY, ENVOY])
def test_otherwise_they_come_from_wheels_and_can_be_run(server: Server) -> None:
    path = find_server(server, Host(NOWHERE))
    assert path.stat().st_mode & stat.S_IXUSR
    assert path.read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize("server", [MONGOD, VALKEY, ENVOY])
def test_an_unsupported_platform_is_named_with_what_to_install(server: Server) -> None:
    with pytest.raises(StackError, match=f"not for Darwin on arm64. Install {server.title}"):
        find_server(server, Host(NOWHERE, "Darwin", "arm64"))


def test_a_missing_wheel_is_named() -> None:
    absent = Server("Thing", ("thingd",), "no-such-distribution-of-parley", "thing/bin/thingd", " Or do without.")
    with pytest.raises(
        StackError, match=r"No thingd on the PATH, and the package .* is not installed. Run `make setup`"
    ):
        find_server(absent, Host(NOWHERE, "Linux", "x86_64"))


def test_mongodb_is_not_started_on_a_processor_without_avx(tmp_path: Path) -> None:
    program(tmp_path, "mongod")
    host = Host(str(tmp_path), "Linux", "x86_64", cpu(tmp_path, "fpu sse sse2 ssse3"))
    with pytest.raises(StackError, match=r"processor with AVX.*PARLEY_MONGODB_URI"):
        find_server(MONGOD, host)


@pytest.mark.parametrize(("architecture", "flags"), [("x86_64", "fpu sse avx avx2"), ("aarch64", "fp asimd evtstrm")])
def test_mongodb_is_started_on_other_processors(tmp_path: Path, architecture: str, flags: str) -> None:
    path = program(tmp_path, "mongod")
    assert find_server(MONGOD, Host(str(tmp_path), "Linux", architecture, cpu(tmp_path, flags))) == path


def test_the_other_servers_do_not_need_avx(tmp_path: Path) -> None:
    path = program(tmp_path, "envoy")
    assert find_server(ENVOY, Host(str(tmp_path), "Linux", "x86_64", cpu(tmp_path, "fpu sse"))) == path
