"""Valkey, or Redis, with its data kept across restarts."""

from pathlib import Path

import redis.asyncio
from redis.exceptions import RedisError

from deploy.local.probes import Probe

_ATTEMPT_SECONDS = 1.0


def valkey_command(program: Path, files: Path, port: int) -> tuple[str, ...]:
    """Return how the server is started; both take the same arguments."""
    return (
        *(str(program), "--bind", "127.0.0.1", "--port", str(port)),
        *("--dir", str(files), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--daemonize", "no", "--tcp-backlog", "511"),
    )


def valkey_url(port: int) -> str:
    """Return the address for clients."""
    return f"redis://127.0.0.1:{port}/0"


def answers(url: str) -> Probe:
    """Probe for a server that has loaded its data."""

    async def probe() -> str | None:
        try:
            client = redis.asyncio.Redis.from_url(
                url, socket_timeout=_ATTEMPT_SECONDS, socket_connect_timeout=_ATTEMPT_SECONDS
            )
        except ValueError as error:
            return str(error)
        async with client:
            try:
                await client.ping()
            except (RedisError, OSError) as error:
                return f"it does not answer ({type(error).__name__})"
        return None

    return probe
