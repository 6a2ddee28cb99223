"""Sessions, and the state of their refresh tokens; see services/auth/sessions.py for what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.auth.store import Database, reaching


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session, and what is known of its refresh tokens: hashes, and the salt that led from one to the next."""

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
    """Sessions; each holds the state of one family of refresh tokens. Expired ones vanish by themselves."""

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
        """One session, expired or not."""
        document = await self._collection.find_one({"_id": session_id})
        if document is None:
            return None
        return SessionRecord(session_id=document.pop("_id"), **document)

    @reaching
    async def rotate(self, session: SessionRecord) -> bool:
        """Stores a session's next secret, once: False where `previous_hash` is no longer the one in force."""
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
    async def delete(self, session_id: str) -> None:
        """Removes a session, if it is there."""
        await self._collection.delete_one({"_id": session_id})

    @reaching
    async def delete_many(self, session_ids: Sequence[str]) -> None:
        """Removes some sessions."""
        await self._collection.delete_many({"_id": {"$in": list(session_ids)}})

    @reaching
    async def ids_of(self, organization_id: str, user_id: str) -> list[str]:
        """The ids of a user's sessions."""
        cursor = self._collection.find({"organization_id": organization_id, "user_id": user_id}, {"_id": True})
        return [document["_id"] async for document in cursor]

    @reaching
    async def delete_of(self, organization_id: str, user_id: str) -> None:
        """Removes all of a user's sessions."""
        await self._collection.delete_many({"organization_id": organization_id, "user_id": user_id})
