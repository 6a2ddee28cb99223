"""The preStop hook of Envoy, run on a real Envoy: it stops being ready and asks its callers to reconnect."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import pytest

from deploy.envoy_edit import CONFIG
from deploy.local import envoy
from deploy.local.binaries import ENVOY, find_server
from deploy.local.host import Host
from deploy.local.ports import PortClaims
from tests.k8s.rendering import overlay

_ADDRESS: Final = re.compile(r"address: ([^\s,]+), port_value: (\d+)")
_START_SECONDS: Final = 30.0


class Edge(NamedTuple):
    """A running Envoy without upstreams."""

    public: int
    status: int
    admin: int

    def is_ready(self) -> bool:
        return self.get(self.status, "/ready").status_code == httpx.codes.OK

    def get(self, port: int, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False)


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    claims = PortClaims()
    text = CONFIG.read_text()
    addresses = {(host, int(port)) for host, port in _ADDRESS.findall(text)}
    ports = {address: [claims.claim_any()] for address in addresses}
    config = tmp_path / "envoy.yaml"
    config.write_text(envoy.render(text, ports))
    edge = Edge(ports[envoy.PUBLIC][0], ports[envoy.STATUS][0], ports[envoy.ADMIN][0])
    command = envoy.envoy_command(find_server(ENVOY, Host.current()), config, concurrency=1)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            _await_ready(edge)
            yield edge
        finally:
            process.terminate()
            process.wait()
            claims.release()


def _await_ready(edge: Edge) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            if edge.is_ready():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError("Envoy is not ready")


def test_the_pre_stop_hook_drains_envoy(edge: Edge) -> None:
    deployment = overlay("prod").get("Deployment", "envoy")
    assert deployment is not None
    command = deployment["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    adapted = [part.replace("/9901", f"/{edge.admin}").replace("sleep 25", "sleep 0") for part in command]
    assert edge.is_ready()
    assert "connection" not in edge.get(edge.public, "/").headers

    process = subprocess.run(adapted, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603

    assert process.stdout.startswith("HTTP/1.1 200 OK")
    assert not edge.is_ready()
    assert edge.get(edge.public, "/").headers["connection"] == "close"
