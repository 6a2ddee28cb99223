"""Reading a collection in the order of `_id`, page by page, as the bytes that MongoDB has.

A page is one command and leaves nothing open in the server, so reading goes on after any page: in another process,
after an election, hours later. Memory holds one page: at most a reply's 16 MiB.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import AsyncMongoClient

from backup.connection import persistently

Page = list[RawBSONDocument]

DOCUMENTS: Final = 20_000
"""As many as a page has at most."""

BEGINNING: Final = object()
"""Before the first document; None can't say so, for it may be an id."""

LATEST: Final[Mapping[str, Any]] = {"level": "majority"}
_RAW: Final = CodecOptions(document_class=RawBSONDocument)


def at(cluster_time: Timestamp) -> Mapping[str, Any]:
    """Reads everything as it was at a moment of the whole cluster."""
    return {"level": "snapshot", "atClusterTime": cluster_time}


async def pages(
    client: AsyncMongoClient[dict[str, Any]],
    database: str,
    collection: str,
    read_concern: Mapping[str, Any],
    *,
    after: object = BEGINNING,
    documents: int = DOCUMENTS,
) -> AsyncIterator[Page]:
    """The documents after an id, whatever types the ids have."""
    command: dict[str, Any] = {
        "find": collection,
        "sort": {"_id": 1},
        "hint": {"_id": 1},
        "batchSize": documents,
        "singleBatch": True,
        "readConcern": read_concern,
    }
    while page := await _page(client, database, command, after):
        yield page
        after = page[-1]["_id"]


async def _page(
    client: AsyncMongoClient[dict[str, Any]], database: str, command: Mapping[str, Any], after: object
) -> Page:
    """The first page after an id: by `min`, for $gt finds ids of the same type alone; but `min` finds that id too."""
    bounds = {} if after is BEGINNING else {"min": {"_id": after}, "batchSize": command["batchSize"] + 1}
    reply: Any = await persistently(
        lambda: client[database].command(
            {**command, **bounds}, codec_options=_RAW, read_preference=client.read_preference
        )
    )
    found = list(reply["cursor"]["firstBatch"])
    if bounds and found and found[0]["_id"] == after:
        del found[0]
    return found
