"""The use cases of organizations: create, read, change."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chassis.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from services.auth.clock import Clock
from services.auth.domain import (
    DEFAULT_GROUP_CREATORS,
    Algorithm,
    Organization,
    OrganizationChanges,
    Role,
    TrustedIssuer,
)
from services.auth.organization_store import OrganizationStore
from services.auth.store import RequestPerformedError


@dataclass(frozen=True, slots=True)
class NewOrganization:
    """An organization to create. Without roles that may create groups, the default roles may."""

    organization_id: str
    name: str
    trusted_issuers: tuple[TrustedIssuer, ...]
    group_creator_roles: tuple[Role, ...]


class Organizations:
    """Creates, reads and changes organizations."""

    def __init__(self, store: OrganizationStore, now: Clock) -> None:
        self._store = store
        self._now = now

    async def repeated(self, request: bytes | None) -> Organization | None:
        """Returns the organization that a request has created or changed; None if it was not performed."""
        return None if request is None else await self._store.find_request(request)

    async def create(self, new: NewOrganization, request: bytes | None = None) -> Organization:
        """Creates an organization; for a request that was performed before, returns the one that it created.

        Args:
            new: the organization.
            request: the digest of the request; None if it has no id.

        Raises:
            AlreadyExistsError: ORGANIZATION_EXISTS, ISSUER_TAKEN.
        """
        _check_secrets(new.trusted_issuers)
        organization = Organization(
            organization_id=new.organization_id,
            name=new.name,
            trusted_issuers=new.trusted_issuers,
            group_creator_roles=new.group_creator_roles or DEFAULT_GROUP_CREATORS,
            create_time=self._now(),
        )
        try:
            await self._store.insert(organization, request)
        except (AlreadyExistsError, RequestPerformedError):
            first = await self.repeated(request)
            if first is None:
                raise
            return first
        return organization

    async def get(self, organization_id: str) -> Organization:
        """Returns an organization. Raises NotFoundError (ORGANIZATION_NOT_FOUND)."""
        organization = await self._store.get(organization_id)
        if organization is None:
            raise organization_not_found()
        return organization

    async def change(
        self, organization_id: str, changes: OrganizationChanges, request: bytes | None = None
    ) -> Organization:
        """Changes an organization; a request that was performed before changes nothing.

        Args:
            organization_id: the organization.
            changes: the changes.
            request: the digest of the request; None if it has no id.

        Raises:
            NotFoundError: ORGANIZATION_NOT_FOUND.
            AlreadyExistsError: ISSUER_TAKEN.
        """
        issuers = changes.trusted_issuers
        if issuers is not None:
            issuers = _with_kept_secrets(issuers, await self.get(organization_id))
        try:
            changed = await self._store.update(organization_id, replace(changes, trusted_issuers=issuers), request)
        except (AlreadyExistsError, RequestPerformedError):
            changed = await self.repeated(request)
            if changed is None:
                raise
        changed = changed or await self.repeated(request)
        if changed is None:
            raise organization_not_found()
        return changed


def organization_not_found() -> NotFoundError:
    """The organization does not exist, or the caller may not know of it."""
    return NotFoundError("ORGANIZATION_NOT_FOUND", "no such organization")


def _with_kept_secrets(issuers: tuple[TrustedIssuer, ...], current: Organization) -> tuple[TrustedIssuer, ...]:
    kept = {issuer.issuer: issuer.shared_secret for issuer in current.trusted_issuers}
    complete = tuple(
        replace(issuer, shared_secret=kept.get(issuer.issuer, b"")) if _lacks_secret(issuer) else issuer
        for issuer in issuers
    )
    _check_secrets(complete)
    return complete


def _check_secrets(issuers: tuple[TrustedIssuer, ...]) -> None:
    problems = {
        f"organization.trustedIssuers[{index}].sharedSecret": "must not be empty"
        for index, issuer in enumerate(issuers)
        if _lacks_secret(issuer)
    }
    if problems:
        raise InvalidArgumentError("INVALID_FIELDS", "an issuer of HS256 needs a shared secret", fields=problems)


def _lacks_secret(issuer: TrustedIssuer) -> bool:
    return issuer.algorithm is Algorithm.HS256 and not issuer.shared_secret
