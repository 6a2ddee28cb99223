"""Drafts in MongoDB.

The collection `drafts` has a document for each user and conversation. A removed draft stays for a week, with the
digests of the latest requests, so that a late repeat does not bring it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from pymongo import DESCENDING, AsyncMongoClient
from pymongo.errors import DuplicateKeyError

from services.chat.documents import member_id
from services.chat.domain import MessageDraft, Owner

_KEPT_REQUESTS: Final = 50
_ATTEMPTS: Final = 5


class DraftStore:
    """Reads and writes drafts. Every method raises StoreError.

    Args:
        client: see `services.chat.store.open_client`.
        database: the database's name.
    """

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], database: str) -> None:
        options: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
        self._drafts = client.get_database(database, codec_options=options)["drafts"]

    async def put(self, owner: Owner, draft: MessageDraft, digest: str) -> bool:
        """Stores a draft, or its removal.

        Args:
            owner: whose draft it is.
            draft: the draft.
            digest: identifies the request; empty if it has no id.

        Returns:
            False if the request was performed before; then nothing changes.
        """
        key = member_id(draft.conversation_id, owner.user_id)
        query = {"_id": key, "requests": {"$ne": digest}} if digest else {"_id": key}
        for _ in range(_ATTEMPTS):
            try:
                await self._drafts.update_one(query, _update(owner, draft, digest), upsert=True)
            except DuplicateKeyError:  # a repeat, or a concurrent insert of the same document
                if digest and await self._drafts.find_one({"_id": key, "requests": digest}, {"_id": 1}):
                    return False
            else:
                return True
        return True  # so many concurrent writes: another one is the latest

    async def of_user(self, owner: Owner, limit: int) -> Sequence[MessageDraft]:
        """Returns a user's drafts, latest first."""
        query = {"o": owner.organization_id, "u": owner.user_id, "gone": {"$exists": False}}
        cursor = self._drafts.find(query).sort("at", DESCENDING).limit(limit)
        return [_to_draft(document) async for document in cursor]


def _update(owner: Owner, draft: MessageDraft, digest: str) -> dict[str, Any]:
    at = DatetimeMS(draft.update_ms)
    fields = {"o": owner.organization_id, "c": draft.conversation_id, "u": owner.user_id}
    update: dict[str, Any] = {"$set": {**fields, "x": draft.text, "re": draft.reply_to, "at": at}}
    if draft.text:
        update["$unset"] = {"gone": 1}
    else:
        update["$set"]["gone"] = at
    if digest:
        update["$push"] = {"requests": {"$each": [digest], "$slice": -_KEPT_REQUESTS}}
    return update


def _to_draft(document: Mapping[str, Any]) -> MessageDraft:
    return MessageDraft(document["c"], document["x"], document["re"], int(document["at"]))
