"""The use cases of users: create and change, and end their sessions where needed."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from chassis.errors import AbortedError, AlreadyExistsError, NotFoundError
from services.auth.clock import Clock
from services.auth.domain import Role, User
from services.auth.organization_store import OrganizationStore
from services.auth.passwords import Passwords
from services.auth.sessions import Sessions
from services.auth.store import RequestPerformedError
from services.auth.user_store import Outcome, Pending, UserExistsError, UserStore, WrittenWith

_TRIES: Final = 10


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to create. An empty id is replaced by a new one; without a password the user needs ExchangeToken."""

    user_id: str
    name: str
    email: str
    role: Role
    teams: tuple[str, ...]
    avatar_url: str
    disabled: bool
    password: str

    def __repr__(self) -> str:
        return f"NewUser({self.user_id!r})"


@dataclass(frozen=True, slots=True)
class UserChanges:
    """Changes to a user; None leaves a field unchanged."""

    name: str | None = None
    email: str | None = None
    role: Role | None = None
    teams: tuple[str, ...] | None = None
    avatar_url: str | None = None
    disabled: bool | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return "UserChanges()"

    def apply(self, user: User) -> User:
        """Returns the user with the changes, but with the same revision and update time."""
        return replace(
            user,
            name=user.name if self.name is None else self.name,
            email=user.email if self.email is None else self.email,
            role=user.role if self.role is None else self.role,
            teams=user.teams if self.teams is None else self.teams,
            avatar_url=user.avatar_url if self.avatar_url is None else self.avatar_url,
            disabled=user.disabled if self.disabled is None else self.disabled,
        )

    def beyond(self, user: User) -> UserChanges:
        """Returns the changes without those to values that the user has already."""
        return replace(
            self,
            name=None if self.name == user.name else self.name,
            email=None if self.email == user.email else self.email,
            role=None if self.role == user.role else self.role,
            teams=None if self.teams == user.teams else self.teams,
            avatar_url=None if self.avatar_url == user.avatar_url else self.avatar_url,
            disabled=None if self.disabled == user.disabled else self.disabled,
        )


class Users:
    """Creates and changes users."""

    def __init__(
        self, store: UserStore, organizations: OrganizationStore, passwords: Passwords, sessions: Sessions, now: Clock
    ) -> None:
        self._store = store
        self._organizations = organizations
        self._passwords = passwords
        self._sessions = sessions
        self._now = now

    async def repeated(self, request: bytes | None) -> User | None:
        """Returns the user that a request has created or changed; None if it was not performed.

        Ends the user's sessions, or revokes its tokens, if the request should have, and failed before that.
        """
        performed = await self._store.find_request(request) if request is not None else None
        if performed is None:
            return None
        await self._finish(performed.user, performed.pending, request)
        return performed.user

    async def create(self, organization_id: str, new: NewUser, request: bytes | None = None) -> User:
        """Creates a user; for a request that was performed before, returns the user that it created.

        Raises:
            NotFoundError: ORGANIZATION_NOT_FOUND.
            AlreadyExistsError: USER_EXISTS, EMAIL_TAKEN.
        """
        if await self._organizations.get(organization_id) is None:
            raise NotFoundError("ORGANIZATION_NOT_FOUND", "no such organization")
        now = self._now()
        user = User(
            organization_id=organization_id,
            user_id=new.user_id or f"u-{secrets.token_hex(8)}",
            name=new.name,
            email=new.email,
            role=new.role,
            teams=new.teams,
            avatar_url=new.avatar_url,
            disabled=new.disabled,
            create_time=now,
            update_time=now,
            revision=1,
        )
        password_hash = await self._passwords.hash(new.password) if new.password else None
        try:
            await self._store.insert(user, password_hash, request)
        except (AlreadyExistsError, RequestPerformedError):
            first = await self.repeated(request)
            if first is None:
                raise
            return first
        return user

    async def upsert(self, organization_id: str, new: NewUser, changes: UserChanges, request: bytes | None) -> Outcome:
        """Creates a user, or changes the one with the same id; for a repeated request, returns its first outcome.

        Writes only what differs. Finishes what a request that failed has left of an earlier change to this user.

        Args:
            organization_id: the user's organization.
            new: the user to create, if there is none with this id.
            changes: the changes to the user, if there is one.
            request: the digest of the request; None if it has no id.

        Raises:
            as `create` and `change`.
        """
        first = await self._store.find_request(request) if request is not None else None
        user = await self._store.get(organization_id, new.user_id)
        if first is None and user is None:
            with suppress(UserExistsError):
                await self.create(organization_id, new, request)
                return Outcome.CREATED
            user = await self._store.get(organization_id, new.user_id)
        if user is not None and (left := await self._store.unfinished(organization_id, new.user_id)) is not None:
            await self._finish(user, left[1], left[0])
        if first is not None:
            return first.outcome
        if user is None:
            raise user_not_found()
        changes = changes.beyond(user)
        outcome = Outcome.UNCHANGED if changes == UserChanges() else Outcome.UPDATED
        if outcome is Outcome.UPDATED or request is not None:
            # A request without an id is recorded too: the next one then finishes what a failure has left of it.
            await self.change(organization_id, new.user_id, changes, request or secrets.token_bytes(16), outcome)
        return outcome

    async def change(
        self,
        organization_id: str,
        user_id: str,
        changes: UserChanges,
        request: bytes | None = None,
        outcome: Outcome = Outcome.UPDATED,
    ) -> User:
        """Changes a user.

        Disabling a user or setting a password ends the user's sessions. Setting a role revokes the access tokens.

        A repeat after a failure also does what the first attempt left. A request that was performed before
        changes nothing else.

        Args:
            organization_id, user_id: the user.
            changes: the changes.
            request: the digest of the request; None if it has no id.
            outcome: what a repeat of the request is told that it did.

        Raises:
            NotFoundError: USER_NOT_FOUND.
            AlreadyExistsError: EMAIL_TAKEN.
            FailedPreconditionError: LAST_ADMIN.
            AbortedError: CONCURRENT_CHANGES, after too many conflicts with other changes.
        """
        password_hash = None if changes.password is None else await self._passwords.hash(changes.password)
        pending = Pending.NOTHING
        if changes.disabled or password_hash is not None:
            pending = Pending.END_SESSIONS
        elif changes.role is not None:  # even the present one: the first attempt may have failed after storing it
            pending = Pending.REVOKE_TOKENS
        written_with = WrittenWith(password_hash, request, pending, outcome)
        for _ in range(_TRIES):
            if (first := await self.repeated(request)) is not None:
                return first
            user = await self._change_stored(organization_id, user_id, changes, written_with)
            if user is not None:
                await self._finish(user, pending, request)
                return user
        raise AbortedError("CONCURRENT_CHANGES", "too many concurrent changes to this user; try again")

    async def _change_stored(
        self, organization_id: str, user_id: str, changes: UserChanges, written_with: WrittenWith
    ) -> User | None:
        """Returns the changed user; None if another change came first."""
        user = await self._store.get(organization_id, user_id)
        if user is None:
            raise user_not_found()
        changed = changes.apply(user)
        if changed == user and written_with.password_hash is None:
            if written_with.request is None:
                return user
        else:
            changed = replace(changed, update_time=max(self._now(), user.update_time))
        changed = replace(changed, revision=user.revision + 1)
        loses_admin = user.is_acting_admin and not changed.is_acting_admin
        save = self._store.save_unless_last_admin if loses_admin else self._store.save
        try:
            return changed if await save(changed, written_with) else None
        except RequestPerformedError:
            return None

    async def _finish(self, user: User, pending: Pending, request: bytes | None) -> None:
        if pending is Pending.NOTHING:
            return
        if pending is Pending.END_SESSIONS or user.disabled:
            await self._sessions.end_all(user)
        else:
            await self._sessions.revoke_tokens(user)
        if request is not None:
            await self._store.finish_request(user, request)


def user_not_found() -> NotFoundError:
    """The user does not exist, or the caller may not know of it."""
    return NotFoundError("USER_NOT_FOUND", "no such user")
