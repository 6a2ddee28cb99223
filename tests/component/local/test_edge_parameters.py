"""A real Envoy with an installation's parameters: its limit of connections, trusted proxies and allowed origins."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import pytest

from deploy.edge import main, parse_parameters
from deploy.edge_parameters import EdgeParameters, with_parameters
from deploy.envoy_edit import CONFIG
from deploy.local import envoy
from deploy.local.binaries import ENVOY, find_server
from deploy.local.host import Host
from deploy.local.ports import PortClaims

GATEWAYS: Final = 4
LIMIT: Final = 20
CRM: Final = "https://crm.example.com"
PREFLIGHT: Final = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
METHOD: Final = "/parley.auth.v1.AuthService/SignIn"
_ADDRESS: Final = re.compile(r"address: ([^\s,]+), port_value: (\d+)")
_GATEWAY: Final = "gateway"


class Edge(NamedTuple):
    """A running Envoy."""

    public: int
    status: int

    async def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        """Calls the public port, on a connection of its own."""
        return await _request("GET", self.public, path, headers)

    async def preflight(self, origin: str) -> httpx.Response:
        """Asks, as a browser does, whether a page may call a gRPC method."""
        return await _request("OPTIONS", self.public, METHOD, {**PREFLIGHT, "origin": origin})


async def _request(method: str, port: int, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        return await client.request(method, f"http://127.0.0.1:{port}{path}", headers=headers)


@asynccontextmanager
async def running_edge(folder: Path, parameters: EdgeParameters) -> AsyncIterator[Edge]:
    """Runs Envoy in front of several gateways that answer with their number, while the context is open."""
    claims = PortClaims()
    text = with_parameters(await asyncio.to_thread(CONFIG.read_text), parameters)
    async with AsyncExitStack() as stack:
        gateways = [await _gateway(stack, number) for number in range(GATEWAYS)]
        addresses = {(host, int(port)) for host, port in _ADDRESS.findall(text)}
        ports = {a: gateways if a[0] == _GATEWAY else [claims.claim_any()] for a in addresses}
        config = folder / "envoy.yaml"
        await asyncio.to_thread(config.write_text, envoy.render(text, ports))
        command = envoy.envoy_command(find_server(ENVOY, Host.current()), config, concurrency=1)
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
        try:
            edge = Edge(ports[envoy.PUBLIC][0], ports[envoy.STATUS][0])
            await _serving(edge)
            yield edge
        finally:
            process.terminate()
            await process.wait()
            claims.release()


async def _gateway(stack: AsyncExitStack, number: int) -> int:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\n%d" % number)
        await writer.drain()
        writer.close()

    server = await stack.enter_async_context(await asyncio.start_server(answer, "127.0.0.1", 0))
    port: int = server.sockets[0].getsockname()[1]
    return port


async def _serving(edge: Edge) -> None:
    """Waits until all gateways are healthy to Envoy."""
    async with asyncio.timeout(60):
        while True:
            try:
                metrics = (await _request("GET", edge.status, "/metrics")).text
            except httpx.TransportError:
                metrics = ""
            if f'envoy_cluster_membership_healthy{{envoy_cluster_name="gateway_socketio"}} {GATEWAYS}' in metrics:
                return
            await asyncio.sleep(0.1)


async def test_envoy_is_ready_and_scraped_at_its_limit(tmp_path: Path) -> None:
    """Or its own probes would restart it, and its connections would fall on the other pods."""
    async with running_edge(tmp_path, EdgeParameters(max_connections=LIMIT)) as edge, AsyncExitStack() as connections:
        assert await _hold_connections(edge.public, connections) == LIMIT
        for _ in range(10):
            assert (await _request("GET", edge.status, "/ready")).status_code == httpx.codes.OK
            assert "envoy_server_live{} 1" in (await _request("GET", edge.status, "/metrics")).text
        with pytest.raises(httpx.TransportError):
            await edge.get("/")


async def _hold_connections(port: int, stack: AsyncExitStack) -> int:
    """Opens idle connections up to the first one that Envoy refuses; returns how many it accepted."""
    accepted = 0
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(writer.close)
        try:
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            if not await reader.read(1):
                return accepted
        except ConnectionError:
            return accepted
        accepted += 1


@pytest.mark.parametrize(("hops", "spread"), [(0, 1), (1, GATEWAYS)])
async def test_clients_behind_a_proxy_are_spread_over_all_gateways(tmp_path: Path, hops: int, spread: int) -> None:
    """Socket.IO hashes the client's address, which is the proxy's unless Envoy trusts that."""
    async with running_edge(tmp_path, EdgeParameters(trusted_hops=hops)) as edge:
        reached: Counter[str] = Counter()
        for number in range(100):
            forwarded = {"x-forwarded-for": f"198.51.100.{number}"}
            reached[(await edge.get("/socket.io/?EIO=4", forwarded)).text] += 1
    assert len(reached) == spread


async def test_the_allowed_origins_may_call_grpc_web_and_no_others(tmp_path: Path) -> None:
    async with running_edge(tmp_path, EdgeParameters(allowed_origins=(CRM,))) as edge:
        allowed = await edge.preflight(CRM)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (httpx.codes.OK, CRM)
        for foreign in ("https://crm.example.com.evil.example", "http://localhost:3000", "http://crm.example.com"):
            assert "access-control-allow-origin" not in (await edge.preflight(foreign)).headers


WRONG: Final = {
    "allowedOrigins: https://crm.example.com": "allowedOrigins must be a list",
    "allowedOrigins: [crm.example.com]": "'crm.example.com' is not an origin such as https://crm.example.com",
    "allowedOrigins: [https://crm.example.com/]": "is not an origin",
    'allowedOrigins: ["*"]': "is not an origin",
    "trustedHops: 10": "trustedHops must be 0 to 9",
    "trustedHops: true": "trustedHops must be 0 to 9",
    "maxConnections: 0": "maxConnections must be a positive integer",
    "mutualTls: 1": "mutualTls must be true or false",
    "traces: collector": "traces must be host:port",
    "origins: []": "origins is unknown",
    "[]x": "not YAML",
    "- a": "must be a mapping",
}


@pytest.mark.parametrize(("text", "problem"), WRONG.items())
def test_wrong_parameters_are_named_and_nothing_is_written(
    tmp_path: Path, text: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "edge.yaml").write_text(text)
    assert main([str(tmp_path)]) == 1
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "edge").exists()


def test_the_files_of_envoy_and_of_the_gateway_agree(tmp_path: Path) -> None:
    text = f"allowedOrigins: [{CRM}]\ntrustedHops: 2\nmaxConnections: 1000\nmutualTls: true\ntraces: otel:4317\n"
    (tmp_path / "edge.yaml").write_text(text)
    assert main([str(tmp_path)]) == 0
    settings = (tmp_path / "edge" / "gateway.env").read_text()
    assert settings == f'PARLEY_ALLOWED_ORIGINS=["{CRM}"]\nPARLEY_TRUSTED_PROXIES=3\n'
    configuration = (tmp_path / "edge" / "envoy.yaml").read_text()
    assert configuration == with_parameters(CONFIG.read_text(), parse_parameters(text))
    assert "envoy.resource_limits.listener.public.connection_limit: 1000\n" in configuration
    assert "xff_num_trusted_hops: 2\n" in configuration
    assert "cluster_name: traces\n" in configuration
