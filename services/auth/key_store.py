"""Signing keys, their private parts sealed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.auth.store import ASCENDING, Database, DuplicateKeyError, reaching


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A signing key as it is stored. Numbers go 1, 2, 3; a key signs from `signs_from` until the next one does."""

    number: int
    key_id: str
    signs_from: datetime
    sealed_key: bytes


class KeyStore:
    """Signing keys. A number is given once, so replicas that make the next key at once end with the same one."""

    def __init__(self, database: Database) -> None:
        self._collection = database["signing_keys"]

    @reaching
    async def all(self) -> list[KeyRecord]:
        """Every key, by number."""
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
        """Adds a key; False where there is one with this number."""
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
        """Stores a key sealed anew, unless another replica has done so."""
        where = {"_id": key.number, "sealed_key": key.sealed_key}
        await self._collection.update_one(where, {"$set": {"sealed_key": sealed_key}})

    @reaching
    async def delete_before(self, number: int) -> None:
        """Removes the keys with lower numbers."""
        await self._collection.delete_many({"_id": {"$lt": number}})
