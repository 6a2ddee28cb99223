"""Stores signing keys with sealed private parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.auth.store import ASCENDING, Database, DuplicateKeyError, reaching


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A stored signing key. Numbers count up from 1. A key signs from `signs_from` until the next one does."""

    number: int
    key_id: str
    signs_from: datetime
    sealed_key: bytes


class KeyStore:
    """Signing keys. Numbers are unique, so replicas that create the next key concurrently end up with the same one."""

    def __init__(self, database: Database) -> None:
        self._collection = database["signing_keys"]

    @reaching
    async def all(self) -> list[KeyRecord]:
        """Returns all keys by number."""
        return [
            KeyRecord(
                number=document["_id"],
                key_id=document["key_id"],
                signs_from=document["signs_from"],
                sealed_key=document["sealed_key"],
            )
            async for document in self._collection.find().sort("_id", ASCENDING)
        ]

    @reaching
    async def insert(self, key: KeyRecord) -> bool:
        """Adds a key; returns False if the number is taken."""
        document = {
            "_id": key.number,
            "key_id": key.key_id,
            "signs_from": key.signs_from,
            "sealed_key": key.sealed_key,
        }
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    @reaching
    async def replace_sealed(self, key: KeyRecord, sealed_key: bytes) -> None:
        """Replaces a sealed private part, unless another replica has done so."""
        where = {"_id": key.number, "sealed_key": key.sealed_key}
        await self._collection.update_one(where, {"$set": {"sealed_key": sealed_key}})

    @reaching
    async def delete_before(self, number: int) -> None:
        """Deletes the keys with lower numbers."""
        await self._collection.delete_many({"_id": {"$lt": number}})
