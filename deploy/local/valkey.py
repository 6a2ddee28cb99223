"""Runs Valkey or Redis with persistent data."""

from pathlib import Path

import redis.asyncio
from redis.exceptions import RedisError

from chassis.events.redis_cluster import is_cluster, open_cluster
from deploy.local.probes import Probe

_ATTEMPT_SECONDS = 1.0


def valkey_command(program: Path, files: Path, port: int) -> tuple[str, ...]:
    """Returns the server's command line; Valkey and Redis take the same arguments."""
    return (
        *(str(program), "--bind", "127.0.0.1", "--port", str(port)),
        *("--dir", str(files), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--daemonize", "no", "--tcp-backlog", "511"),
    )


def valkey_url(port: int) -> str:
    """Returns the URL for clients."""
    return f"redis://127.0.0.1:{port}/0"


def valkey_reachable(url: str) -> Probe:
    """Returns a probe for a server that has loaded its data."""

    async def probe() -> str | None:
        try:
            async with _open(url) as client:
                await client.ping()
        except ValueError as error:
            return str(error)
        except (RedisError, OSError) as error:
            return f"it does not answer ({type(error).__name__})"
        return None

    return probe


def _open(url: str) -> redis.asyncio.Redis | redis.asyncio.RedisCluster:
    if is_cluster(url):
        return open_cluster(url, timeout_seconds=_ATTEMPT_SECONDS)
    return redis.asyncio.Redis.from_url(url, socket_timeout=_ATTEMPT_SECONDS, socket_connect_timeout=_ATTEMPT_SECONDS)
