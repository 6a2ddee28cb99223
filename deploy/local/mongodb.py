"""Runs mongod as a one-member replica set, so that transactions, change streams and majority writes work."""

from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local.probes import Probe

REPLICA_SET = "rs0"

_NOT_YET_INITIALIZED = 94
_ATTEMPT_MILLISECONDS = 1000


def mongod_command(program: Path, files: Path, port: int, cache_gigabytes: float) -> tuple[str, ...]:
    """Returns mongod's command line; journaling is on by default."""
    return (
        *(str(program), "--dbpath", str(files)),
        *("--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"),
        *("--replSet", REPLICA_SET, "--oplogSize", "512"),
        *("--wiredTigerCacheSizeGB", f"{cache_gigabytes:g}"),
        # Full-time diagnostic data capture samples all metrics every second.
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        *("--quiet", "--slowms", "1000"),
    )


def mongod_uri(port: int) -> str:
    """Returns the URI for clients. Direct, so that they do not follow the set's port of an earlier run."""
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


def primary_ready(port: int) -> Probe:
    """Returns a probe for a writable primary that also configures the replica set, one step per attempt.

    A new server gets its first configuration. A server whose port has changed since the last run is not in its own
    configuration; it gets its new address by a forced reconfiguration, as no other member exists to agree.
    """

    async def probe() -> str | None:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            mongod_uri(port),
            serverSelectionTimeoutMS=_ATTEMPT_MILLISECONDS,
            connectTimeoutMS=_ATTEMPT_MILLISECONDS,
            heartbeatFrequencyMS=500,
        )
        async with client:
            try:
                hello = await client.admin.command("hello")
                if hello["isWritablePrimary"]:
                    return None
                if "setName" not in hello:
                    await _configure(client, f"127.0.0.1:{port}")
            except PyMongoError as error:
                return f"it does not answer yet ({type(error).__name__})"
        return "it is not primary yet"

    return probe


def mongodb_reachable(uri: str) -> Probe:
    """Returns a probe for an external server."""

    async def probe() -> str | None:
        try:
            async with AsyncMongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=_ATTEMPT_MILLISECONDS) as client:
                await client.admin.command("ping")
        except PyMongoError as error:
            # The error's text may contain the URI and its password.
            return type(error).__name__
        return None

    return probe


async def _configure(client: AsyncMongoClient[dict[str, Any]], host: str) -> None:
    try:
        config = (await client.admin.command("replSetGetConfig"))["config"]
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        initial = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]}
        await client.admin.command({"replSetInitiate": initial})
        return
    if [member["host"] for member in config["members"]] != [host]:
        moved = {**config, "version": config["version"] + 1, "members": [{**config["members"][0], "host": host}]}
        await client.admin.command({"replSetReconfig": moved, "force": True})
