"""Presence's guarantees on a cluster: repeats the tests of one Valkey.

Except tests that simulate a loss by switching to another numbered database; clusters have one database only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from redis.asyncio import Redis

from chassis.events.log import open_redis
from deploy.local.process import ManagedProcess
from tests.component.presence import test_bus, test_sessions, test_statuses
from tests.component.valkey_cluster import RunningCluster, running_cluster

_NUMBERED: Final = {
    "test_a_setting_outlives_sessions_replicas_and_redis",
    "test_of_concurrent_settings_the_same_one_wins_everywhere",
}

opened = test_bus.opened
globals().update(
    {
        name: test
        for module in (test_bus, test_sessions, test_statuses)
        for name, test in vars(module).items()
        if name.startswith("test_") and name not in _NUMBERED
    }
)


@pytest.fixture(scope="session")
async def cluster() -> AsyncIterator[RunningCluster]:
    with TemporaryDirectory(prefix="parley-cluster-") as folder:
        async with running_cluster(Path(folder)) as running:
            yield running


@pytest.fixture(scope="session")
async def own_valkey(cluster: RunningCluster) -> tuple[ManagedProcess, str]:
    """The first of the cluster's three nodes, and the cluster's URL."""
    return cluster.nodes[0].process, cluster.url


@pytest.fixture
async def valkey(cluster: RunningCluster) -> AsyncIterator[Redis]:
    """A client of presence's cluster, after emptying it."""
    await cluster.empty()
    client = open_redis(cluster.url)
    yield client
    await client.aclose()
