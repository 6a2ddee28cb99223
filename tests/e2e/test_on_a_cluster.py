"""The whole stack on a Redis Cluster: repeats the tests of conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deploy.local.options import StackOptions
from deploy.local.seed import seed_demo
from deploy.local.stack import LocalStack
from tests.component.valkey_cluster import running_cluster
from tests.e2e import test_conversations
from tests.e2e.conftest import REPLICAS

globals().update({name: test for name, test in vars(test_conversations).items() if name.startswith("test_")})


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """A stack with two replicas of each service and a Redis Cluster of three nodes."""
    async with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        options = StackOptions(redis_url=cluster.url)
        async with LocalStack(tmp_path_factory.mktemp("stack"), replicas=REPLICAS, options=options) as running:
            await seed_demo(running.grpc_target, running.credentials)
            yield running


def test_the_stack_runs_no_valkey_of_its_own(stack: LocalStack) -> None:
    assert "chat-2" in stack.processes
    assert "valkey" not in stack.processes
