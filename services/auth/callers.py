"""Looks up the present state of calling users: a token's claims may be outdated by its lifetime."""

from __future__ import annotations

from chassis.errors import PermissionDeniedError, UnauthenticatedError
from chassis.identity import Identity
from services.auth.domain import Role, User
from services.auth.organizations import organization_not_found
from services.auth.user_store import UserStore


class Callers:
    """Looks up callers."""

    def __init__(self, users: UserStore) -> None:
        self._users = users

    async def current(self, identity: Identity) -> User | None:
        """Returns the calling user; None for a service that acts in an organization.

        Raises:
            UnauthenticatedError: ACCOUNT_DISABLED.
            PermissionDeniedError: ORGANIZATION_REQUIRED, for a service that acts in no organization.
        """
        if identity.service:
            if not identity.organization_id:
                raise PermissionDeniedError("ORGANIZATION_REQUIRED", "this requires a token of one organization")
            return None
        user = await self._users.get(identity.organization_id, identity.user_id)
        if user is None or user.disabled:
            raise UnauthenticatedError("ACCOUNT_DISABLED", "the account is disabled")
        return user

    async def require_administrator(self, identity: Identity) -> None:
        """Checks that the caller is a service or an administrator now. Raises PermissionDeniedError (NOT_ALLOWED)."""
        user = await self.current(identity)
        if user is not None and user.role is not Role.ADMIN:
            raise _not_allowed()

    async def require_may_change(self, identity: Identity, user_id: str, *, own_fields: bool) -> None:
        """Checks that the caller may change a user: an administrator, a service, or for `own_fields` the user.

        Raises:
            PermissionDeniedError: NOT_ALLOWED.
        """
        user = await self.current(identity)
        if user is None or user.role is Role.ADMIN or (own_fields and user.user_id == user_id):
            return
        raise _not_allowed()

    async def administered(self, identity: Identity, named: str) -> str:
        """Returns the organization of a call: the caller's own, or the one that a service without its own names.

        Raises:
            NotFoundError: ORGANIZATION_NOT_FOUND, if the caller names another organization than its own, or none.
            PermissionDeniedError: NOT_ALLOWED.
        """
        if identity.organization_id:
            await self.require_administrator(identity)
        own = identity.organization_id or named
        if not own or (named and named != own):
            raise organization_not_found()
        return own

    def require_serves(self, identity: Identity, organization_id: str) -> None:
        """Checks that a service acts in this organization or in all."""
        if identity.organization_id not in {"", organization_id}:
            raise PermissionDeniedError("ORGANIZATION_NOT_ALLOWED", "this service may not act in that organization")


def _not_allowed() -> PermissionDeniedError:
    return PermissionDeniedError("NOT_ALLOWED", "your role does not permit this")
