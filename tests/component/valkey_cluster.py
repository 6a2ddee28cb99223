"""A real cluster of three Valkeys that tests may stop and start again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from deploy.local.binaries import VALKEY, find_server
from deploy.local.host import Host
from deploy.local.ports import PortClaims
from deploy.local.process import ManagedProcess, ProcessSpec
from deploy.local.progress import silent
from deploy.local.valkey import valkey_command, valkey_reachable, valkey_url

_SLOTS: Final = ((0, 5_460), (5_461, 10_922), (10_923, 16_383))
_AGREE_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Node:
    """One of the cluster's servers."""

    process: ManagedProcess
    port: int
    bus_port: int


@dataclass(frozen=True)
class RunningCluster:
    """A cluster, whose nodes have a third of the slots each."""

    nodes: tuple[Node, ...]

    @property
    def url(self) -> str:
        """Its address, for our own processes."""
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    async def empty(self) -> None:
        """Removes everything."""
        for node in self.nodes:
            async with Redis.from_url(valkey_url(node.port)) as client:
                await client.flushall()


@asynccontextmanager
async def running_cluster(folder: Path) -> AsyncIterator[RunningCluster]:
    """Runs a cluster whose data is in `folder`."""
    ports = PortClaims()
    async with AsyncExitStack() as stack:
        stack.callback(ports.release)
        cluster = RunningCluster(tuple([await stack.enter_async_context(_running(folder, n, ports)) for n in range(3)]))
        await _meet(cluster)
        yield cluster


@asynccontextmanager
async def _running(folder: Path, number: int, ports: PortClaims) -> AsyncIterator[Node]:
    files = folder / f"node-{number}"
    files.mkdir()
    port, bus_port = ports.claim_any(), ports.claim_any()
    clustered = ("--cluster-enabled", "yes", "--cluster-port", str(bus_port), "--cluster-require-full-coverage", "no")
    spec = ProcessSpec(
        name=f"valkey-{number}",
        command=(*valkey_command(find_server(VALKEY, Host.current()), files, port), *clustered),
        environment=dict(os.environ),
        log_path=files / "valkey.log",
        probe=valkey_reachable(valkey_url(port)),
    )
    process = ManagedProcess(spec, silent, lambda: None)
    try:
        await process.start()
        await process.wait_healthy()
        yield Node(process, port, bus_port)
    finally:
        await process.stop()


async def _meet(cluster: RunningCluster) -> None:
    first, *others = cluster.nodes
    for epoch, (node, slots) in enumerate(zip(cluster.nodes, _SLOTS, strict=True), start=1):
        async with Redis.from_url(valkey_url(node.port)) as client:
            await _ask(client, "ADDSLOTSRANGE", *slots)
            await _ask(client, "SET-CONFIG-EPOCH", epoch)
    async with Redis.from_url(valkey_url(first.port)) as client:
        for node in others:
            await _ask(client, "MEET", "127.0.0.1", node.port, node.bus_port)
    async with asyncio.timeout(_AGREE_SECONDS):
        for node in cluster.nodes:
            while not await _knows_everything(node):
                await asyncio.sleep(0.1)


async def _knows_everything(node: Node) -> bool:
    async with Redis.from_url(valkey_url(node.port)) as client:
        info = await _ask(client, "INFO")
        return b"cluster_slots_assigned:16384" in info and b"cluster_state:ok" in info


async def _ask(client: Redis, *words: str | int) -> bytes:
    execute: Any = client.execute_command  # has no types
    answer: bytes = await execute("CLUSTER", *words)
    return answer
