"""Stores sessions and the state of their refresh tokens; services/auth/sessions.py explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.auth.store import Database, reaching


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session, with the hashes of its refresh tokens and the salt that derived the latest from its predecessor."""

    session_id: str
    organization_id: str
    user_id: str
    family_hash: bytes
    secret_hash: bytes
    previous_hash: bytes
    salt: bytes
    rotate_time: datetime
    expire_time: datetime


class SessionStore:
    """Sessions, each with the state of one family of refresh tokens. MongoDB deletes expired ones."""

    def __init__(self, database: Database) -> None:
        self._collection = database["sessions"]

    @reaching
    async def insert(self, session: SessionRecord) -> None:
        """Adds a session."""
        await self._collection.insert_one(
            {
                "_id": session.session_id,
                "organization_id": session.organization_id,
                "user_id": session.user_id,
                "family_hash": session.family_hash,
                "secret_hash": session.secret_hash,
                "previous_hash": session.previous_hash,
                "salt": session.salt,
                "rotate_time": session.rotate_time,
                "expire_time": session.expire_time,
            }
        )

    @reaching
    async def get(self, session_id: str) -> SessionRecord | None:
        """Returns a session, expired or not."""
        document = await self._collection.find_one({"_id": session_id})
        if document is None:
            return None
        return SessionRecord(session_id=document.pop("_id"), **document)

    @reaching
    async def rotate(self, session: SessionRecord) -> bool:
        """Stores a session's next secret; returns False if `previous_hash` is no longer the present one."""
        result = await self._collection.update_one(
            {"_id": session.session_id, "secret_hash": session.previous_hash},
            {
                "$set": {
                    "secret_hash": session.secret_hash,
                    "previous_hash": session.previous_hash,
                    "salt": session.salt,
                    "rotate_time": session.rotate_time,
                    "expire_time": session.expire_time,
                }
            },
        )
        return result.matched_count == 1

    @reaching
    async def expire(self, session_ids: Sequence[str], now: datetime) -> list[str]:
        """Makes sessions' refresh tokens invalid, and returns the sessions that existed.

        MongoDB deletes them within minutes; until then a repeat returns them again.
        """
        existing = await self._collection.distinct("_id", {"_id": {"$in": list(session_ids)}})
        await self._collection.update_many(
            {"_id": {"$in": existing}}, {"$set": {"expire_time": now, "secret_hash": b"", "salt": b""}}
        )
        return [str(session_id) for session_id in existing]

    @reaching
    async def delete(self, session_id: str) -> None:
        """Deletes a session, if it exists."""
        await self._collection.delete_one({"_id": session_id})

    @reaching
    async def delete_many(self, session_ids: Sequence[str]) -> None:
        """Deletes sessions."""
        await self._collection.delete_many({"_id": {"$in": list(session_ids)}})

    @reaching
    async def ids_of(self, organization_id: str, user_id: str) -> list[str]:
        """Returns the ids of a user's sessions."""
        cursor = self._collection.find({"organization_id": organization_id, "user_id": user_id}, {"_id": True})
        return [document["_id"] async for document in cursor]

    @reaching
    async def delete_of(self, organization_id: str, user_id: str) -> None:
        """Deletes all of a user's sessions."""
        await self._collection.delete_many({"organization_id": organization_id, "user_id": user_id})
