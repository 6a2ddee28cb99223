"""Requests to the directory, checked and given the form that use cases take."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from parley.auth.v1 import directory_pb2, user_pb2

from services.auth.convert import issuer_from_proto, role_from
from services.auth.directory import Search
from services.auth.domain import OrganizationChanges, Role, has_control_characters, ordered_unique, query_words
from services.auth.field_checks import MAX_NAME_CHARACTERS, MAX_TEAM_CHARACTERS, AuthChecks
from services.auth.organizations import NewOrganization
from services.auth.users import NewUser, UserChanges

OWN_FIELDS: Final = frozenset({"name", "avatar_url"})
"""What users may change of themselves."""

_USER_FIELDS: Final = frozenset({"name", "email", "role", "teams", "avatar_url", "disabled"})
_ORGANIZATION_FIELDS: Final = frozenset({"name", "trusted_issuers", "group_creator_roles"})
_MAX_QUERY_CHARACTERS: Final = 100
_MAX_QUERY_WORDS: Final = 10


def listed(request: directory_pb2.ListUsersRequest) -> Search:
    """Returns what a listing asks for."""
    checks = AuthChecks()
    words = _words(checks, request.query)
    if request.role:
        checks.role("role", request.role)
    checks.text("team", request.team, at_most=MAX_TEAM_CHARACTERS)
    checks.done()
    return Search(words, role_from(request.role), request.team, contacts_only=False)


def searched(request: directory_pb2.SearchUsersRequest) -> Search:
    """Returns what a search asks for."""
    checks = AuthChecks()
    words = _words(checks, request.query)
    checks.done()
    return Search(words, None, "", contacts_only=True)


def _words(checks: AuthChecks, query: str) -> list[str]:
    checks.text("query", query, at_most=_MAX_QUERY_CHARACTERS)
    checks.require(not has_control_characters(query), "query", "must not have control characters")
    words = query_words(query)
    checks.require(len(words) <= _MAX_QUERY_WORDS, "query", f"must have at most {_MAX_QUERY_WORDS} words")
    return words


def password_change(request: directory_pb2.SetPasswordRequest) -> UserChanges:
    """Returns the change that sets a password."""
    checks = AuthChecks()
    checks.user_id("userId", request.user_id)
    checks.password("password", request.password)
    checks.done()
    return UserChanges(password=request.password)


def new_user(request: directory_pb2.CreateUserRequest) -> NewUser:
    """The user to make."""
    user = request.user
    checks = AuthChecks()
    if user.user_id:
        checks.user_id("user.userId", user.user_id)
    _check_user(checks, user, _USER_FIELDS)
    if request.password:
        checks.password("password", request.password)
    checks.done()
    return NewUser(
        user_id=user.user_id,
        name=user.name.strip(),
        email=user.email,
        role=_role(user.role),
        teams=ordered_unique(user.teams),
        avatar_url=user.avatar_url,
        disabled=user.disabled,
        password=request.password,
    )


def user_changes(request: directory_pb2.UpdateUserRequest) -> UserChanges:
    """What to change of a user."""
    user, fields = request.user, frozenset(request.update_mask.paths)
    checks = AuthChecks()
    checks.user_id("user.userId", user.user_id)
    checks.mask("updateMask", request.update_mask, _USER_FIELDS)
    _check_user(checks, user, fields)
    checks.done()
    return UserChanges(
        name=user.name.strip() if "name" in fields else None,
        email=user.email if "email" in fields else None,
        role=_role(user.role) if "role" in fields else None,
        teams=ordered_unique(user.teams) if "teams" in fields else None,
        avatar_url=user.avatar_url if "avatar_url" in fields else None,
        disabled=user.disabled if "disabled" in fields else None,
    )


def _check_user(checks: AuthChecks, user: user_pb2.User, fields: Collection[str]) -> None:
    if "name" in fields:
        checks.line("user.name", user.name, at_most=MAX_NAME_CHARACTERS)
    if "email" in fields:
        checks.email("user.email", user.email)
    if "role" in fields:
        checks.role("user.role", user.role)
    if "teams" in fields:
        checks.teams("user.teams", user.teams)
    if "avatar_url" in fields:
        checks.avatar_url("user.avatarUrl", user.avatar_url)


def new_organization(request: directory_pb2.CreateOrganizationRequest) -> NewOrganization:
    """The organization to make."""
    organization = request.organization
    checks = AuthChecks()
    checks.user_id("organization.organizationId", organization.organization_id)
    _check_organization(checks, organization, _ORGANIZATION_FIELDS)
    checks.done()
    return NewOrganization(
        organization_id=organization.organization_id,
        name=organization.name.strip(),
        trusted_issuers=tuple(map(issuer_from_proto, organization.trusted_issuers)),
        group_creator_roles=_roles(organization.group_creator_roles),
    )


def organization_changes(request: directory_pb2.UpdateOrganizationRequest) -> OrganizationChanges:
    """What to change of an organization."""
    organization, fields = request.organization, frozenset(request.update_mask.paths)
    checks = AuthChecks()
    checks.mask("updateMask", request.update_mask, _ORGANIZATION_FIELDS)
    _check_organization(checks, organization, fields)
    checks.done()
    return OrganizationChanges(
        name=organization.name.strip() if "name" in fields else None,
        trusted_issuers=(
            tuple(map(issuer_from_proto, organization.trusted_issuers)) if "trusted_issuers" in fields else None
        ),
        group_creator_roles=_roles(organization.group_creator_roles) if "group_creator_roles" in fields else None,
    )


def _check_organization(checks: AuthChecks, organization: user_pb2.Organization, fields: Collection[str]) -> None:
    if "name" in fields:
        checks.line("organization.name", organization.name, at_most=MAX_NAME_CHARACTERS)
    if "trusted_issuers" in fields:
        checks.issuers("organization.trustedIssuers", organization.trusted_issuers)
    if "group_creator_roles" in fields:
        checks.roles("organization.groupCreatorRoles", organization.group_creator_roles)


def _role(number: int) -> Role:
    """A role that passed its check."""
    role = role_from(number)
    assert role is not None  # noqa: S101  # checked before
    return role


def _roles(numbers: Iterable[int]) -> tuple[Role, ...]:
    return tuple(dict.fromkeys(map(_role, numbers)))
