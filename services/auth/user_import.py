"""The use case of importing users: each row of a list creates or changes one user, and fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chassis.errors import (
    AbortedError,
    AlreadyExistsError,
    AppError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from services.auth.organization_store import OrganizationStore
from services.auth.organizations import organization_not_found
from services.auth.user_store import Outcome, UserStore
from services.auth.users import NewUser, UserChanges, Users

_CONCURRENT_ROWS: Final = 8
_ROW_ERRORS: Final = (AbortedError, AlreadyExistsError, FailedPreconditionError, InvalidArgumentError, NotFoundError)
_EMAIL_TAKEN: Final = "EMAIL_TAKEN"


@dataclass(frozen=True, slots=True)
class Row:
    """What one row asks for: the user to create if there is none with the id, else the changes to it."""

    new: NewUser
    changes: UserChanges

    @property
    def user_id(self) -> str:
        """The id of the row's user."""
        return self.new.user_id


Result = Outcome | AppError
"""What became of a row: what it did, or why it failed."""


class UserImport:
    """Creates and changes many users of one organization."""

    def __init__(self, users: Users, store: UserStore, organizations: OrganizationStore) -> None:
        self._users = users
        self._store = store
        self._organizations = organizations

    async def existing(self, organization_id: str, user_ids: Sequence[str]) -> frozenset[str]:
        """Returns which of these users exist. Raises NotFoundError (ORGANIZATION_NOT_FOUND)."""
        if await self._organizations.get(organization_id) is None:
            raise organization_not_found()
        return frozenset(await self._store.get_many(organization_id, user_ids))

    async def run(
        self, organization_id: str, rows: Sequence[Row], request_of: Callable[[str], bytes | None]
    ) -> dict[str, Result]:
        """Performs the rows, several at a time, and returns the result of each by user id.

        A row whose e-mail address another row gives up succeeds after that one. Users who swap addresses get them too:
        one of them has none for a moment.

        Args:
            organization_id: the users' organization.
            rows: at most one for each user.
            request_of: returns the digest of the request that a row makes, by user id; None for no request id.

        Raises:
            UnavailableError: some rows may not be done.
        """
        results: dict[str, Result] = {}
        waiting = {row.user_id: row for row in rows}
        while waiting:
            done = await self._pass(organization_id, waiting.values(), request_of)
            results |= done
            blocked = {user_id: row for user_id, row in waiting.items() if _is_email_taken(done[user_id])}
            if len(blocked) == len(waiting) and not await self._break_cycle(organization_id, blocked):
                break
            waiting = blocked
        return results

    async def _pass(
        self, organization_id: str, rows: Iterable[Row], request_of: Callable[[str], bytes | None]
    ) -> dict[str, Result]:
        """Tries each row once."""
        limit = asyncio.Semaphore(_CONCURRENT_ROWS)

        async def perform(row: Row) -> Result:
            async with limit:
                try:
                    request = request_of(row.user_id)
                    return await self._users.upsert(organization_id, row.new, row.changes, request)
                except _ROW_ERRORS as error:
                    return error

        user_ids = [row.user_id for row in rows]
        tasks = [asyncio.create_task(perform(row)) for row in rows]
        try:
            return dict(zip(user_ids, await asyncio.gather(*tasks), strict=True))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _break_cycle(self, organization_id: str, blocked: Mapping[str, Row]) -> bool:
        """Clears the address of a user whose row waits, around a circle, for itself; returns False if there is none."""
        wanted = {user_id: row.changes.email or row.new.email for user_id, row in blocked.items()}
        holders = dict[str, str]()
        for user_id, email in wanted.items():
            account = await self._store.account(email)
            if account is not None and account.user.organization_id == organization_id:
                holders[user_id] = account.user.user_id
        for start in holders:
            at, seen = start, set[str]()
            while at in holders and at not in seen:
                seen.add(at)
                at = holders[at]
            if at == start and seen:
                await self._users.change(organization_id, start, UserChanges(email=""))
                return True
        return False


def _is_email_taken(result: Result) -> bool:
    return isinstance(result, AppError) and result.reason == _EMAIL_TAKEN
