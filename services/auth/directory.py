"""The use cases that read the directory: users as a caller may see them, and contact permissions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chassis.errors import PermissionDeniedError
from chassis.identity import Identity
from services.auth.callers import Callers
from services.auth.contacts import Audience, may_see, may_write, sees_emails, sees_everyone
from services.auth.domain import Role, User, ordered_unique
from services.auth.organization_store import OrganizationStore
from services.auth.user_store import UserFilter, UserStore
from services.auth.users import user_not_found


@dataclass(frozen=True, slots=True)
class Search:
    """The filters of a listing; see ListUsersRequest."""

    words: Sequence[str]  # lower-case
    role: Role | None
    team: str
    contacts_only: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A page of users, and the key after which the next page starts; None on the last page."""

    users: Sequence[User]
    next_after: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Contacts:
    """For each user that the caller may know of, whether the caller may write to them."""

    allowed: Sequence[tuple[str, bool]]
    may_create_groups: bool


class Directory:
    """Reads the directory of one organization as a caller may see it.

    Visibility depends on the caller's present state, not on the claims of the token.
    """

    def __init__(self, callers: Callers, users: UserStore, organizations: OrganizationStore) -> None:
        self._callers = callers
        self._users = users
        self._organizations = organizations

    async def get(self, identity: Identity, user_id: str) -> User:
        """Returns a user. Raises NotFoundError (USER_NOT_FOUND), also for one that the caller may not know of."""
        users = await self.get_many(identity, [user_id])
        if not users:
            raise user_not_found()
        return users[0]

    async def get_many(self, identity: Identity, user_ids: Sequence[str]) -> list[User]:
        """Returns those of these users that the caller may know of, once each, in the given order.

        Without the e-mail addresses that the caller may not see, as with `list`.
        """
        viewer = await self._callers.current(identity)
        wanted = ordered_unique(user_ids)
        by_id = await self._users.get_many(identity.organization_id, wanted)
        users = [by_id[user_id] for user_id in wanted if user_id in by_id]
        return [_seen_by(viewer, user) for user in users if viewer is None or may_see(viewer, user)]

    async def list(self, identity: Identity, search: Search, after: tuple[str, str] | None, size: int) -> Page:
        """Returns a page of users by name."""
        viewer = await self._callers.current(identity)
        audience = None
        if viewer is not None and (search.contacts_only or not sees_everyone(viewer.role)):
            audience = Audience(viewer, with_viewer=not search.contacts_only)
        by_email = viewer is None or sees_emails(viewer.role)
        wanted = UserFilter(search.words, search.role, search.team, audience, by_email=by_email)
        users = await self._users.list(identity.organization_id, wanted, after, size + 1)
        page, more = [_seen_by(viewer, user) for user in users[:size]], len(users) > size
        return Page(page, (page[-1].name_key, page[-1].user_id) if more else None)

    async def contacts(self, identity: Identity, user_ids: Sequence[str]) -> Contacts:
        """Returns whether the calling user may write to each of these users, once each, in the given order."""
        viewer = await self._callers.current(identity)
        if viewer is None:
            raise PermissionDeniedError("USER_REQUIRED", "this is for users, not for services")
        wanted = ordered_unique(user_ids)
        by_id = await self._users.get_many(identity.organization_id, wanted)
        seen = [by_id[user_id] for user_id in wanted if user_id in by_id and may_see(viewer, by_id[user_id])]
        organization = await self._organizations.get(identity.organization_id)
        return Contacts(
            allowed=[(user.user_id, may_write(viewer, user)) for user in seen],
            may_create_groups=organization is not None and viewer.role in organization.group_creator_roles,
        )


def _seen_by(viewer: User | None, user: User) -> User:
    """Returns a user without the e-mail address, unless the viewer may see it; None for a service."""
    if viewer is None or sees_emails(viewer.role) or viewer.user_id == user.user_id:
        return user
    return replace(user, email="")
