"""Parley services that are connected to a MongoDB: during a restore their caches would go stale."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pymongo.errors import OperationFailure

from backup.connection import Client

_UNAUTHORIZED: Final = 13


async def connected_services(client: Client, services: Iterable[str]) -> list[str] | None:
    """Returns the services with open connections, or None where the credentials do not permit $currentOp."""
    names = {f"parley-{service}": service for service in services}
    stages: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True, "idleConnections": True}},
        {"$match": {"appName": {"$in": sorted(names)}}},
        {"$group": {"_id": "$appName"}},
        {"$sort": {"_id": 1}},
    ]
    try:
        return [names[group["_id"]] async for group in await client.admin.aggregate(stages)]
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
            raise
        return None
