"""Runs and queries a real Prometheus in a test."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.local.ports import PortClaims
from deploy.local.probes import http_ok
from deploy.local.process import ManagedProcess, ProcessSpec
from tests.monitoring.rules import ROOT

_UNPACKED: Final = ROOT / ".venv" / "prometheus" / "usr" / "bin"
MISSING: Final = "no {} on this machine; run the tests by `make monitoring-check`, which downloads it"


def program(name: str) -> Path:
    """Returns the path of a Prometheus program, from the PATH or where `make monitoring-check` puts it."""
    path = shutil.which(name) or shutil.which(name, path=_UNPACKED)
    assert path, MISSING.format(name)
    return Path(path)


class Prometheus:
    """A client of a Prometheus server."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """Returns the current series of an expression."""
        response = await self._client.get("/api/v1/query", params={"query": expression})
        answer = response.json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    async def metrics(self) -> set[str]:
        """Returns the names of all known metrics."""
        response = await self._client.get("/api/v1/label/__name__/values")
        return set(response.json()["data"])

    async def targets(self) -> list[dict[str, Any]]:
        """Returns the active scrape targets."""
        response = await self._client.get("/api/v1/targets")
        targets: list[dict[str, Any]] = response.json()["data"]["activeTargets"]
        return targets

    async def rules(self) -> list[dict[str, Any]]:
        """Returns the rules with their state."""
        response = await self._client.get("/api/v1/rules")
        return [rule for group in response.json()["data"]["groups"] for rule in group["rules"]]


@asynccontextmanager
async def running_prometheus(folder: Path, configuration: dict[str, Any]) -> AsyncIterator[Prometheus]:
    """Runs a server with a configuration."""
    claims = PortClaims()
    port = claims.claim_any()
    (folder / "prometheus.json").write_text(json.dumps(configuration))
    process = ManagedProcess(_spec(folder, port), report=lambda _: None, on_change=lambda: None)
    try:
        await process.start()
        await process.wait_healthy()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20.0) as client:
            yield Prometheus(client)
    finally:
        await process.stop()
        claims.release()


def _spec(folder: Path, port: int) -> ProcessSpec:
    command = (
        str(program("prometheus")),
        f"--config.file={folder / 'prometheus.json'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    )
    probe = http_ok(f"http://127.0.0.1:{port}/-/ready")
    return ProcessSpec("prometheus", command, {}, folder / "prometheus.log", probe, working_directory=folder)
