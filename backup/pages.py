"""Reads a collection in the order of `_id`, page by page, as raw BSON.

A page is one command and leaves no cursor open, so reading can resume after any page: in another process or after an
election. Memory holds one page: at most a reply's 16 MiB.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import AsyncMongoClient

from backup.connection import retry_while_unreachable

Page = list[RawBSONDocument]

DOCUMENTS: Final = 20_000
"""The maximum number of documents in a page."""

BEGINNING: Final = object()
"""The position before the first document. None would not do: it is a valid `_id`."""

LATEST: Final[Mapping[str, Any]] = {"level": "majority"}
_RAW: Final = CodecOptions(document_class=RawBSONDocument)


def snapshot_at(cluster_time: Timestamp) -> Mapping[str, Any]:
    """Returns the read concern for a snapshot of the whole cluster at a cluster time."""
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
    """Yields all documents after an `_id`, across BSON types."""
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
    """Returns the first page after an `_id`.

    `$gt` compares within one BSON type only, so this uses `min`, which is inclusive, and drops that document.
    """
    bounds = {} if after is BEGINNING else {"min": {"_id": after}, "batchSize": command["batchSize"] + 1}
    reply: Any = await retry_while_unreachable(
        lambda: client[database].command(
            {**command, **bounds}, codec_options=_RAW, read_preference=client.read_preference
        )
    )
    page = list(reply["cursor"]["firstBatch"])
    if bounds and page and page[0]["_id"] == after:
        del page[0]
    return page
