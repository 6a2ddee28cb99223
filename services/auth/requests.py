"""Validates requests and converts them for the use cases. All problems of a request are reported at once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from google.protobuf.field_mask_pb2 import FieldMask
from joserfc.jwk import OctKey
from parley.auth.v1 import directory_pb2, user_pb2

from chassis.rpc.validation import FieldChecks
from services.auth.convert import issuer_from_proto, role_from
from services.auth.directory import Search
from services.auth.domain import (
    Algorithm,
    OrganizationChanges,
    Role,
    has_control_characters,
    is_email,
    ordered_unique,
    query_words,
)
from services.auth.key_sets import is_key_set_url
from services.auth.organizations import NewOrganization
from services.auth.passwords import MAX_PASSWORD_BYTES, MIN_PASSWORD_BYTES
from services.auth.users import NewUser, UserChanges

OWN_FIELDS: Final = frozenset({"name", "avatar_url"})
"""The fields that users may change of themselves."""

_USER_FIELDS: Final = frozenset({"name", "email", "role", "teams", "avatar_url", "disabled"})
_ORGANIZATION_FIELDS: Final = frozenset({"name", "trusted_issuers", "group_creator_roles"})
_MAX_QUERY_CHARACTERS: Final = 100
_MAX_QUERY_WORDS: Final = 10

MAX_NAME_CHARACTERS: Final = 100
MAX_TEAMS: Final = 50
MAX_TEAM_CHARACTERS: Final = 64
MAX_TEAMS_JSON_BYTES: Final = 2_000  # every access token contains them, and travels in headers
MAX_BATCH: Final = 200
MAX_CONTACTS: Final = 5_000
_MAX_URL_CHARACTERS: Final = 2_048
_MAX_ISSUERS: Final = 20
_MAX_ISSUER_CHARACTERS: Final = 512
_MAX_CLAIM_CHARACTERS: Final = 64
_MIN_SECRET_BYTES: Final = 32  # RFC 7518, section 3.2
_MAX_SECRET_BYTES: Final = 1_024


class AuthChecks(FieldChecks):
    """Checks of auth's own fields."""

    def line(self, field: str, value: str, *, at_most: int) -> None:
        """Checks a line of text that must not be blank."""
        self.text(field, value, at_least=1, at_most=at_most)
        self.require(bool(value.strip()), field, "must not be blank")
        self.require(not has_control_characters(value), field, "must not have control characters")

    def email(self, field: str, value: str) -> None:
        """Checks an e-mail address, which may be empty."""
        self.require(not value or is_email(value), field, "must be an e-mail address")

    def password(self, field: str, value: str) -> None:
        """Checks a new password."""
        self.require(
            MIN_PASSWORD_BYTES <= len(value.encode()) <= MAX_PASSWORD_BYTES,
            field,
            f"must have {MIN_PASSWORD_BYTES} to {MAX_PASSWORD_BYTES} bytes",
        )

    def role(self, field: str, number: int) -> None:
        """Checks that a role is specified and known."""
        self.require(role_from(number) is not None, field, "must be a role")

    def teams(self, field: str, teams: Sequence[str]) -> None:
        """Checks team names."""
        self.require(len(teams) <= MAX_TEAMS, field, f"must have at most {MAX_TEAMS} entries")
        for index, team in enumerate(teams[:MAX_TEAMS]):
            self.line(f"{field}[{index}]", team, at_most=MAX_TEAM_CHARACTERS)
        size = len(json.dumps(list(teams)))
        self.require(size <= MAX_TEAMS_JSON_BYTES, field, f"must fit into {MAX_TEAMS_JSON_BYTES} bytes as JSON")

    def avatar_url(self, field: str, url: str) -> None:
        """Checks the URL of a picture, which may be empty."""
        self.require(not url or _is_https(url), field, "must be an https URL")

    def user_ids(self, field: str, user_ids: Sequence[str], *, at_most: int) -> None:
        """Checks a list of user ids."""
        if self.require(len(user_ids) <= at_most, field, f"must have at most {at_most} entries"):
            for index, user_id in enumerate(user_ids):
                self.user_id(f"{field}[{index}]", user_id)

    def mask(self, field: str, mask: FieldMask, known: Collection[str]) -> None:
        """Checks that a mask names at least one field, and only known ones."""
        self.require(bool(mask.paths), field, "must name a field")
        unknown = sorted(set(mask.paths) - set(known))
        self.require(not unknown, field, f"must only name fields among {', '.join(sorted(known))}")

    def roles(self, field: str, numbers: Iterable[int]) -> None:
        """Checks a list of roles."""
        for index, number in enumerate(numbers):
            self.role(f"{field}[{index}]", number)

    def issuers(self, field: str, issuers: Sequence[user_pb2.TrustedIssuer]) -> None:
        """Checks the issuers that an organization trusts."""
        self.require(len(issuers) <= _MAX_ISSUERS, field, f"must have at most {_MAX_ISSUERS} entries")
        seen = set[str]()
        for index, issuer in enumerate(issuers[:_MAX_ISSUERS]):
            self._issuer(f"{field}[{index}]", issuer)
            self.require(issuer.issuer not in seen, f"{field}[{index}].issuer", "must not appear twice")
            seen.add(issuer.issuer)

    def _issuer(self, field: str, issuer: user_pb2.TrustedIssuer) -> None:
        self.line(f"{field}.issuer", issuer.issuer, at_most=_MAX_ISSUER_CHARACTERS)
        self.line(f"{field}.audience", issuer.audience, at_most=_MAX_ISSUER_CHARACTERS)
        names = [algorithm.value for algorithm in Algorithm]
        self.require(issuer.algorithm in names, f"{field}.algorithm", f"must be one of {', '.join(names)}")
        if issuer.algorithm == Algorithm.HS256.value:
            self._shared_secret(field, issuer)
        else:
            self.require(
                is_key_set_url(issuer.jwks_url) and len(issuer.jwks_url) <= _MAX_URL_CHARACTERS,
                f"{field}.jwksUrl",
                "must be an https URL, or an http URL on loopback",
            )
            self.require(not issuer.shared_secret, f"{field}.sharedSecret", "must be empty unless algorithm is HS256")
        for descriptor, name in issuer.claims.ListFields():
            place = f"{field}.claims.{descriptor.json_name}"
            self.line(place, name, at_most=_MAX_CLAIM_CHARACTERS)

    def _shared_secret(self, field: str, issuer: user_pb2.TrustedIssuer) -> None:
        size = len(issuer.shared_secret.encode())
        fits = _MIN_SECRET_BYTES <= size <= _MAX_SECRET_BYTES
        sentence = f"must have {_MIN_SECRET_BYTES} to {_MAX_SECRET_BYTES} bytes"
        self.require(fits or not size, f"{field}.sharedSecret", sentence)
        self.require(not _is_public_key(issuer.shared_secret), f"{field}.sharedSecret", "must not be a public key")
        self.require(not issuer.jwks_url, f"{field}.jwksUrl", "must be empty if algorithm is HS256")


def list_filter(request: directory_pb2.ListUsersRequest) -> Search:
    """Validates a request to list users."""
    checks = AuthChecks()
    words = _words(checks, request.query)
    if request.role:
        checks.role("role", request.role)
    checks.text("team", request.team, at_most=MAX_TEAM_CHARACTERS)
    checks.done()
    return Search(words, role_from(request.role), request.team, contacts_only=False)


def search_filter(request: directory_pb2.SearchUsersRequest) -> Search:
    """Validates a request to search users."""
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
    """Validates a request to set a password."""
    checks = AuthChecks()
    checks.user_id("userId", request.user_id)
    checks.password("password", request.password)
    checks.done()
    return UserChanges(password=request.password)


def new_user(request: directory_pb2.CreateUserRequest) -> NewUser:
    """Validates a request to create a user."""
    user = request.user
    checks = AuthChecks()
    if user.user_id:
        checks.user_id("userId", user.user_id)
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
    """Validates a request to update a user."""
    user, fields = request.user, frozenset(request.update_mask.paths)
    checks = AuthChecks()
    checks.user_id("userId", user.user_id)
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
        checks.line("name", user.name, at_most=MAX_NAME_CHARACTERS)
    if "email" in fields:
        checks.email("email", user.email)
    if "role" in fields:
        checks.role("role", user.role)
    if "teams" in fields:
        checks.teams("teams", user.teams)
    if "avatar_url" in fields:
        checks.avatar_url("avatarUrl", user.avatar_url)


def new_organization(request: directory_pb2.CreateOrganizationRequest) -> NewOrganization:
    """Validates a request to create an organization."""
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
    """Validates a request to update an organization."""
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
    """Converts a validated role."""
    role = role_from(number)
    assert role is not None  # noqa: S101  # validated
    return role


def _roles(numbers: Iterable[int]) -> tuple[Role, ...]:
    return tuple(dict.fromkeys(map(_role, numbers)))


def _is_public_key(secret: str) -> bool:
    """Returns whether a secret is in fact a public key (RFC 8725, section 2.1)."""
    if not secret:
        return False
    try:
        OctKey.import_key(secret)
    except ValueError:
        return True
    return False


def _is_https(url: str) -> bool:
    if len(url) > _MAX_URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False
