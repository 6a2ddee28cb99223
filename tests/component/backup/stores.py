"""A store to back up: a test's own databases, and their content as raw BSON."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection

from backup.connection import Client

_RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
Content = dict[tuple[str, str], tuple[list[bytes], list[dict[str, Any]]]]


@dataclass(frozen=True)
class Store:
    """The databases of some services, by service."""

    client: Client
    databases: dict[str, str]

    def collection(self, service: str, name: str) -> Any:
        return self.client[self.databases[service]][name]

    async def content(self) -> Content:
        """Returns, by service and collection, the raw documents in the order of `_id`, and the indexes."""
        content: Content = {}
        for service, database in self.databases.items():
            for name in await self.client[database].list_collection_names():
                raw: AsyncCollection[Any] = self.client[database].get_collection(name, _RAW)
                documents = [bytes(document.raw) async for document in raw.find().sort("_id", 1)]
                indexes = [dict(index) async for index in await self.client[database][name].list_indexes()]
                content[service, name] = documents, sorted(indexes, key=lambda index: str(index["name"]))
        return content

    async def destroy(self) -> None:
        for database in self.databases.values():
            await self.client.drop_database(database)


@asynccontextmanager
async def new_store(client: Client) -> AsyncIterator[Store]:
    """Yields databases that no other test uses; drops them at the end."""
    suffix = secrets.token_hex(6)
    store = Store(client, {"chat": f"test_chat_{suffix}", "notify": f"test_notify_{suffix}"})
    yield store
    await store.destroy()


async def fill(store: Store, documents: int) -> None:
    """Inserts numbered documents into a collection of each service."""
    for service in store.databases:
        await store.collection(service, "things").insert_many(
            [{"_id": f"{n:06}", "n": n, "text": "x" * 50} for n in range(documents)]
        )
