"""Redis Cluster behind the same interface as one server: `redis+cluster://` in an address asks for it.

All that belongs to one shard of an event log has one hash tag, so it is on one node; nothing here spans two. While
slots move from node to node, some of what is appended at once may be appended twice, or in another order.
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
"""How often a command is sent again while the cluster finds out who has what, as after the loss of a node."""


class Cluster(RedisCluster):
    """A client of a cluster. Like one of a single server it raises nothing but RedisError when there is nobody."""

    async def __aenter__(self) -> RedisCluster:
        with _unreachable():
            return await super().__aenter__()

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """Sends a command to whoever has its key."""
        with _unreachable():
            return await super().execute_command(*args, **kwargs)

    def pipeline(self, transaction: Any | None = None, shard_hint: Any | None = None) -> ClusterPipeline:
        """Commands that are sent together, to each node its own."""
        del shard_hint  # clusters have none
        return _Pipeline(self, transaction)  # type: ignore[abstract]  # redis-py says so of its own class, too


class _Pipeline(ClusterPipeline):
    async def __aenter__(self) -> ClusterPipeline:
        with _unreachable():
            return await super().__aenter__()

    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        with _unreachable():
            return await super().execute(raise_on_error, allow_redirections)


@contextmanager
def _unreachable() -> Iterator[None]:
    """Makes connection errors of what redis-py raises besides, which is no RedisError.

    Its own exception says that no node can be reached. An AttributeError is met by a command whose connection another
    one closed under it, having found that the cluster has changed.
    """
    try:
        yield
    except (RedisClusterException, AttributeError) as error:
        raise RedisConnectionError(f"the cluster can't be reached, or is changing: {error}") from error


def is_cluster(url: str) -> bool:
    """Whether an address is that of a cluster."""
    return urlsplit(url).scheme in _SCHEMES


def open_cluster(url: str, *, timeout_seconds: float) -> RedisCluster:
    """Opens a client; the caller closes it. Any one node of the cluster that the address names is enough to begin."""
    scheme, _, rest = url.partition("://")
    return Cluster.from_url(
        f"{_SCHEMES[scheme]}://{rest}",
        socket_timeout=timeout_seconds,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.05), _ATTEMPTS),
    )
