"""A Redis Cluster client with the interface of a single server's, for URLs with the scheme `redis+cluster://`.

The keys of one shard of an event log have one hash tag, so they are on one node; no command spans two. While slots
migrate between nodes, entries appended concurrently may be duplicated or reordered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterPipeline
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException

_SCHEMES: Final = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
_ATTEMPTS: Final = 3
"""How often a command is retried while the cluster reassigns slots, such as after the loss of a node."""


class Cluster(RedisCluster):
    """A client of a cluster. Like a single server's client, it raises only RedisError if no server is reachable."""

    async def __aenter__(self) -> RedisCluster:
        with _unreachable():
            return await super().__aenter__()

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """Sends a command to the node that has its key."""
        with _unreachable():
            return await super().execute_command(*args, **kwargs)

    def pipeline(self, transaction: Any | None = None, shard_hint: Any | None = None) -> ClusterPipeline:
        """Returns a pipeline, which sends each node its commands together."""
        del shard_hint  # clusters have none
        return _Pipeline(self, transaction)  # type: ignore[abstract]  # so is redis-py's own class


class _Pipeline(ClusterPipeline):
    async def __aenter__(self) -> ClusterPipeline:
        with _unreachable():
            return await super().__aenter__()

    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        with _unreachable():
            return await super().execute(raise_on_error, allow_redirections)


@contextmanager
def _unreachable() -> Iterator[None]:
    """Turns redis-py's cluster errors that are no RedisError into connection errors.

    RedisClusterException means that no node is reachable. redis-py raises AttributeError in a command whose connection
    another command closed, as it had noticed a change of the cluster.
    """
    try:
        yield
    except (RedisClusterException, AttributeError) as error:
        raise RedisConnectionError(f"the cluster is unreachable or changing: {error}") from error


def is_cluster(url: str) -> bool:
    """Reports whether a URL is a cluster's."""
    return urlsplit(url).scheme in _SCHEMES


def open_cluster(url: str, *, timeout_seconds: float) -> RedisCluster:
    """Opens a client, which the caller closes. One reachable node among those that the URL names is enough."""
    scheme, _, rest = url.partition("://")
    return Cluster.from_url(
        f"{_SCHEMES[scheme]}://{rest}",
        socket_timeout=timeout_seconds,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.05), _ATTEMPTS),
    )
