"""Stores users. `_id` is "<organization>/<user id>", which is unambiguous because neither part may have a slash."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from chassis.errors import AlreadyExistsError, FailedPreconditionError
from services.auth.contacts import Audience
from services.auth.domain import Role, User, email_key, search_words
from services.auth.store import (
    ASCENDING,
    WITHOUT_REQUESTS,
    Database,
    Document,
    DuplicateKeyError,
    RequestPerformedError,
    Transaction,
    find_by_request,
    insert_once,
    key_pattern,
    reaching,
    request_entry,
    set_once,
    without_request,
)

_WORD_START: Final = r"(?:^|[\s\p{Z}]|(?<![\p{L}\p{N}])(?=[\p{L}\p{N}]))"
"""Where a word begins that `search_words` returns: after white space, or where a run of letters and digits begins."""


@dataclass(frozen=True, slots=True)
class UserFilter:
    """The conditions of a listing, all of which must hold.

    Attributes:
        words: lower-case; each is a prefix of one of the user's words.
        role: the user's role; None for any.
        team: one of the user's teams; empty for any.
        audience: restricts the listing to a viewer's contacts; None for no restriction.
        by_email: whether words match the user's e-mail address too, not only the name and user id.
    """

    words: Sequence[str]
    role: Role | None
    team: str
    audience: Audience | None
    by_email: bool

    def conditions(self) -> list[Document]:
        """Returns the conditions as MongoDB queries."""
        conditions: list[Document] = [{"search": {"$regex": "^" + re.escape(word)}} for word in self.words]
        if not self.by_email:
            conditions += [_in_name_or_id(word) for word in self.words]
        if self.role is not None:
            conditions.append({"role": self.role.value})
        if self.team:
            conditions.append({"teams": self.team})
        if self.audience is not None:
            conditions.append(_audience_condition(self.audience))
        return conditions


def _in_name_or_id(word: str) -> Document:
    """Returns the condition that a word of the name or user id begins with a word, of those that `search` has.

    Not a field of its own: replicas of an earlier version, which write users during an update, would not set it.
    """
    prefix = _WORD_START + re.escape(word)
    return {"$or": [{"name_key": {"$regex": prefix}}, {"user_id": {"$regex": prefix, "$options": "i"}}]}


def _audience_condition(audience: Audience) -> Document:
    viewer, reach = audience.viewer, audience.reach
    contacts: Document = {
        "disabled": False,
        "user_id": {"$ne": viewer.user_id},
        "$or": [
            {"role": {"$in": [role.value for role in reach.always]}},
            {"role": {"$in": [role.value for role in reach.within_team]}, "teams": {"$in": list(viewer.teams)}},
        ],
    }
    return {"$or": [contacts, {"user_id": viewer.user_id}]} if audience.with_viewer else contacts


@dataclass(frozen=True, slots=True)
class Account:
    """A user, and the hash of the password if there is one."""

    user: User
    password_hash: str | None

    def __repr__(self) -> str:
        return f"Account({self.user.organization_id}/{self.user.user_id})"


class UserExistsError(AlreadyExistsError):
    """USER_EXISTS: a user with this id exists."""


class Pending(StrEnum):
    """What is left to do after a change of a user is stored."""

    NOTHING = ""
    END_SESSIONS = "sessions"
    REVOKE_TOKENS = "tokens"


class Outcome(StrEnum):
    """What a request does to a user."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class PerformedRequest(NamedTuple):
    """What a request has done.

    Attributes:
        user: the user that it created or changed, as of now.
        pending: its second part, if that may be missing.
        outcome: what it did.
    """

    user: User
    pending: Pending
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class WrittenWith:
    """What is written together with a change of a user.

    Attributes:
        password_hash: the hash of a new password.
        request: the digest of the request; see `UserStore.find_request`.
        pending: what the request does after this; see `UserStore.finish_request`.
        outcome: what the request does.
    """

    password_hash: str | None = None
    request: bytes | None = None
    pending: Pending = Pending.NOTHING
    outcome: Outcome = Outcome.UPDATED

    def __repr__(self) -> str:
        return "WrittenWith()"


class UserStore:
    """Users. A change is stored only if the user still has the revision that it is based on."""

    def __init__(self, database: Database) -> None:
        self._client = database.client
        self._collection = database["users"]
        self._organizations = database["organizations"]

    @reaching
    async def insert(self, user: User, password_hash: str | None, request: bytes | None = None) -> None:
        """Adds a user.

        Args:
            user, password_hash: the user.
            request: the digest of the request; see `find_request`.

        Raises:
            AlreadyExistsError: USER_EXISTS, EMAIL_TAKEN.
            RequestPerformedError: another document has the record of the request.
        """
        document = (
            _user_fields(user)
            | request_entry(request, user.create_time)
            | {
                "_id": _user_key(user.organization_id, user.user_id),
                "organization_id": user.organization_id,
                "user_id": user.user_id,
                "create_time": user.create_time,
            }
        )
        if user.email:
            document["email_key"] = email_key(user.email)
        if password_hash is not None:
            document["password_hash"] = password_hash
        try:
            await insert_once(self._collection, document, request)
        except DuplicateKeyError as error:
            if "_id" in key_pattern(error):
                raise UserExistsError("USER_EXISTS", "a user with this id exists") from error
            raise _collision(error) from error

    @reaching
    async def find_request(self, request: bytes) -> PerformedRequest | None:
        """Returns what a request has done; None if it was not performed in the last 24 hours."""
        document = await find_by_request(self._collection, request)
        if document is None:
            return None
        (record,) = document["requests"]
        return PerformedRequest(_user(document), _pending(record), Outcome(record.get("outcome", Outcome.CREATED)))

    @reaching
    async def unfinished(self, organization_id: str, user_id: str) -> tuple[bytes, Pending] | None:
        """Returns a request whose change of a user is stored but not finished, and what is left of it; else None."""
        key = {"_id": _user_key(organization_id, user_id)}
        document = await self._collection.find_one(
            key | {"requests.pending": {"$exists": True}},
            {"requests": {"$elemMatch": {"pending": {"$exists": True}}}},
        )
        if document is None:
            return None
        (record,) = document["requests"]
        return record["id"], _pending(record)

    @reaching
    async def finish_request(self, user: User, request: bytes) -> None:
        """Records that a request is finished."""
        key = {"_id": _user_key(user.organization_id, user.user_id), "requests.id": request}
        await self._collection.update_one(key, {"$unset": {"requests.$.pending": ""}})

    @reaching
    async def get(self, organization_id: str, user_id: str) -> User | None:
        """Returns a user."""
        document = await self._collection.find_one({"_id": _user_key(organization_id, user_id)}, WITHOUT_REQUESTS)
        return _user(document) if document else None

    @reaching
    async def get_many(self, organization_id: str, user_ids: Sequence[str]) -> dict[str, User]:
        """Returns those of these users that exist, by user id."""
        keys = [_user_key(organization_id, user_id) for user_id in user_ids]
        cursor = self._collection.find({"_id": {"$in": keys}}, WITHOUT_REQUESTS)
        return {document["user_id"]: _user(document) async for document in cursor}

    @reaching
    async def account(self, email: str) -> Account | None:
        """Returns the account of an e-mail address, compared without regard to case."""
        document = await self._collection.find_one({"email_key": email_key(email)}, WITHOUT_REQUESTS)
        return Account(_user(document), document.get("password_hash")) if document else None

    @reaching
    async def replace_password_hash(self, user: User, old: str, new: str) -> None:
        """Replaces the hash of a password, unless the password has changed meanwhile."""
        await self._collection.update_one(
            {"_id": _user_key(user.organization_id, user.user_id), "password_hash": old},
            {"$set": {"password_hash": new}},
        )

    @reaching
    async def save(self, user: User, written_with: WrittenWith) -> bool:
        """Stores a change; returns False if another came first.

        Raises:
            AlreadyExistsError: EMAIL_TAKEN.
            RequestPerformedError: another document has the record of the request.
        """
        return await self._save(user, written_with, None)

    @reaching
    async def save_unless_last_admin(self, user: User, written_with: WrittenWith) -> bool:
        """Stores a change that removes an enabled administrator, if another one remains; returns False as `save`.

        Of two concurrent changes of this kind, neither relies on the administrator that the other removes: each writes
        to the organization's document first, so that one waits for the other or is retried after it.

        Raises:
            FailedPreconditionError: LAST_ADMIN.
            AlreadyExistsError: EMAIL_TAKEN.
            RequestPerformedError: another document has the record of the request.
        """
        others = {
            "organization_id": user.organization_id,
            "role": Role.ADMIN.value,
            "disabled": False,
            "user_id": {"$ne": user.user_id},
        }

        async def save(session: Transaction) -> bool:
            await self._organizations.update_one(
                {"_id": user.organization_id}, {"$inc": {"administrator_changes": 1}}, session=session
            )
            if await self._collection.find_one(others, session=session) is None:
                raise FailedPreconditionError("LAST_ADMIN", "the organization's last administrator has to stay one")
            return await self._save(user, written_with, session)

        async with self._client.start_session() as session:
            return await session.with_transaction(save)

    async def _save(self, user: User, written_with: WrittenWith, session: Transaction | None) -> bool:
        changes = _user_fields(user)
        if user.email:
            changes["email_key"] = email_key(user.email)
        if written_with.password_hash is not None:
            changes["password_hash"] = written_with.password_hash
        update = set_once(written_with.request, changes, pending=written_with.pending, outcome=written_with.outcome)
        if not user.email:
            update.append({"$unset": "email_key"})
        where = {
            "_id": _user_key(user.organization_id, user.user_id),
            "revision": user.revision - 1,
            **without_request(written_with.request),
        }
        try:
            result = await self._collection.update_one(where, update, session=session)
        except DuplicateKeyError as error:
            raise _collision(error) from error
        return result.matched_count == 1

    @reaching
    async def list(
        self, organization_id: str, wanted: UserFilter, after: tuple[str, str] | None, limit: int
    ) -> list[User]:
        """Returns users by `name_key`, then user id, after a place in that order."""
        conditions = [{"organization_id": organization_id}, *wanted.conditions()]
        if after is not None:
            name_key, user_id = after
            conditions.append(
                {"$or": [{"name_key": {"$gt": name_key}}, {"name_key": name_key, "user_id": {"$gt": user_id}}]}
            )
        cursor = self._collection.find({"$and": conditions}, WITHOUT_REQUESTS)
        cursor = cursor.sort([("name_key", ASCENDING), ("user_id", ASCENDING)]).limit(limit)
        return [_user(document) async for document in cursor]


def _pending(record: Document) -> Pending:
    """Returns what is left of a recorded request."""
    pending = record.get("pending", "")
    return Pending.END_SESSIONS if pending is True else Pending(pending)


def _user_key(organization_id: str, user_id: str) -> str:
    return f"{organization_id}/{user_id}"


def _collision(error: DuplicateKeyError) -> Exception:
    if "requests.id" in key_pattern(error):
        return RequestPerformedError()
    return AlreadyExistsError("EMAIL_TAKEN", "the e-mail address is in use")


def _user_fields(user: User) -> Document:
    """Returns the fields that changes update, except optional ones."""
    return {
        "name": user.name,
        "name_key": user.name_key,
        "email": user.email,
        "role": user.role.value,
        "teams": list(user.teams),
        "avatar_url": user.avatar_url,
        "disabled": user.disabled,
        "update_time": user.update_time,
        "revision": user.revision,
        "search": search_words(user.user_id, user.name, user.email),
    }


def _user(document: Document) -> User:
    return User(
        organization_id=document["organization_id"],
        user_id=document["user_id"],
        name=document["name"],
        email=document["email"],
        role=Role(document["role"]),
        teams=tuple(document["teams"]),
        avatar_url=document["avatar_url"],
        disabled=document["disabled"],
        create_time=document["create_time"],
        update_time=document["update_time"],
        revision=document["revision"],
    )
