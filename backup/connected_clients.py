"""Who is connected to a MongoDB: services that run while it is restored would not know what it then holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pymongo.errors import OperationFailure

from backup.connection import Client

_UNAUTHORIZED: Final = 13


async def connected_services(client: Client, services: Iterable[str]) -> list[str] | None:
    """Which of these services have connections now; None where the credentials don't allow to look."""
    names = {f"parley-{service}": service for service in services}
    stages: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True, "idleConnections": True}},
        {"$match": {"appName": {"$in": sorted(names)}}},
        {"$group": {"_id": "$appName"}},
        {"$sort": {"_id": 1}},
    ]
    try:
        return [names[found["_id"]] async for found in await client.admin.aggregate(stages)]
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
            raise
        return None
