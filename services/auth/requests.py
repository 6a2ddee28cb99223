"""Converts requests for the use cases, and checks what the contract's options cannot state."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from joserfc.jwk import OctKey
from parley.auth.v1 import directory_pb2, user_pb2

from chassis.contract.fields import IS_REQUIRED
from chassis.contract.validator import invalid_fields, problems_of
from chassis.errors import InvalidArgumentError
from chassis.rpc.validation import FieldChecks
from services.auth.convert import issuer_from_proto, role_from, role_number
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
from services.auth.user_import import Row
from services.auth.users import NewUser, UserChanges

OWN_FIELDS: Final = frozenset({"name", "avatar_url"})
"""The fields that users may change of themselves."""

_IMPORTED_FIELDS: Final = {
    "name": "name",
    "email": "email",
    "role": "role",
    "teams": "teams",
    "avatarUrl": "avatar_url",
    "disabled": "disabled",
}
"""The fields of an import by their names in JSON."""

_PROTO_NAMES: Final = _IMPORTED_FIELDS | {"userId": "user_id"}
_ROLE_NAMES: Final = {role.value: role for role in Role}
_ORGANIZATION_FIELDS: Final = ("name", "trusted_issuers", "group_creator_roles")
_MAX_QUERY_WORDS: Final = 10
_MAX_TEAMS_JSON_BYTES: Final = 2_000  # every access token contains them, and travels in headers
_MIN_SECRET_BYTES: Final = 32  # RFC 7518, section 3.2
_MAX_SECRET_BYTES: Final = 1_024


class AuthChecks(FieldChecks):
    """Checks of auth's own fields that the contract's options cannot state."""

    def printable(self, field: str, value: str) -> None:
        """Checks that a text has no control characters."""
        self.require(not has_control_characters(value), field, "must not have control characters")

    def email(self, field: str, value: str) -> None:
        """Checks an e-mail address, which may be empty."""
        self.require(not value or is_email(value), field, "must be an e-mail address")

    def teams(self, field: str, teams: Sequence[str]) -> None:
        """Checks team names."""
        for index, team in enumerate(teams):
            self.printable(f"{field}[{index}]", team)
        size = len(json.dumps(list(teams)))
        self.require(size <= _MAX_TEAMS_JSON_BYTES, field, f"must have at most {_MAX_TEAMS_JSON_BYTES:,} bytes as JSON")

    def issuers(self, field: str, issuers: Sequence[user_pb2.TrustedIssuer]) -> None:
        """Checks the issuers that an organization trusts."""
        seen = set[str]()
        for index, issuer in enumerate(issuers):
            self._issuer(f"{field}[{index}]", issuer)
            self.require(issuer.issuer not in seen, f"{field}[{index}].issuer", "must not appear twice")
            seen.add(issuer.issuer)

    def _issuer(self, field: str, issuer: user_pb2.TrustedIssuer) -> None:
        self.printable(f"{field}.issuer", issuer.issuer)
        self.printable(f"{field}.audience", issuer.audience)
        names = [algorithm.value for algorithm in Algorithm]
        self.require(issuer.algorithm in names, f"{field}.algorithm", f"must be one of {', '.join(names)}")
        if issuer.algorithm == Algorithm.HS256.value:
            self._shared_secret(field, issuer)
        else:
            is_url = is_key_set_url(issuer.jwks_url)
            self.require(is_url, f"{field}.jwksUrl", "must be an https URL, or an http URL on loopback")
            self.require(not issuer.shared_secret, f"{field}.sharedSecret", "must be empty unless algorithm is HS256")
        for descriptor, name in issuer.claims.ListFields():
            self.printable(f"{field}.claims.{descriptor.json_name}", name)

    def _shared_secret(self, field: str, issuer: user_pb2.TrustedIssuer) -> None:
        size = len(issuer.shared_secret.encode())
        fits = _MIN_SECRET_BYTES <= size <= _MAX_SECRET_BYTES
        sentence = f"must have {_MIN_SECRET_BYTES} to {_MAX_SECRET_BYTES:,} bytes of UTF-8"
        self.require(fits or not size, f"{field}.sharedSecret", sentence)
        self.require(not _is_public_key(issuer.shared_secret), f"{field}.sharedSecret", "must not be a public key")
        self.require(not issuer.jwks_url, f"{field}.jwksUrl", "must be empty if algorithm is HS256")


def list_filter(request: directory_pb2.ListUsersRequest) -> Search:
    """Reads a request to list users. Raises InvalidArgumentError."""
    return Search(_words(request.query), role_from(request.role), request.team, contacts_only=False)


def search_filter(request: directory_pb2.SearchUsersRequest) -> Search:
    """Reads a request to search users. Raises InvalidArgumentError."""
    return Search(_words(request.query), None, "", contacts_only=True)


def _words(query: str) -> list[str]:
    checks = AuthChecks()
    checks.printable("query", query)
    words = query_words(query)
    checks.require(len(words) <= _MAX_QUERY_WORDS, "query", f"must have at most {_MAX_QUERY_WORDS} words")
    checks.done()
    return words


def new_user(request: directory_pb2.CreateUserRequest) -> NewUser:
    """Reads a request to create a user. Raises InvalidArgumentError."""
    user = request.user
    _check_user(user, {"name", "email", "teams", "avatar_url"})
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
    """Reads a request to update a user. Raises InvalidArgumentError."""
    user, fields = request.user, frozenset(request.update_mask.paths)
    _check_user(user, fields)
    return UserChanges(
        name=user.name.strip() if "name" in fields else None,
        email=user.email if "email" in fields else None,
        role=_role(user.role) if "role" in fields else None,
        teams=ordered_unique(user.teams) if "teams" in fields else None,
        avatar_url=user.avatar_url if "avatar_url" in fields else None,
        disabled=user.disabled if "disabled" in fields else None,
    )


def import_rows(
    request: directory_pb2.BatchUpsertUsersRequest, existing: Collection[str]
) -> list[Row | InvalidArgumentError]:
    """Reads the rows of an import: each, or what is wrong with it.

    Args:
        request: the request.
        existing: the ids of those users that exist; of their rows, only the named fields count.

    Raises:
        InvalidArgumentError: the request names fields that there are not.
    """
    named = frozenset(request.fields) or frozenset(_IMPORTED_FIELDS)
    if not named <= _IMPORTED_FIELDS.keys():
        raise invalid_fields({"fields": f"may only have {', '.join(_IMPORTED_FIELDS)}"})
    fields = frozenset(_IMPORTED_FIELDS[name] for name in named)
    seen = set[str]()
    rows: list[Row | InvalidArgumentError] = []
    for row in request.users:
        if row.user_id in seen:
            rows.append(InvalidArgumentError("DUPLICATE_ROW", "an earlier row is about the same user"))
            continue
        seen.add(row.user_id)
        try:
            rows.append(_import_row(row, fields, is_new=row.user_id not in existing))
        except InvalidArgumentError as error:
            rows.append(error)
    return rows


def _import_row(row: directory_pb2.UserRow, fields: frozenset[str], *, is_new: bool) -> Row:
    user = user_pb2.User(
        user_id=row.user_id,
        name=row.name,
        email=row.email,
        teams=row.teams,
        avatar_url=row.avatar_url,
        disabled=row.disabled,
    )
    checked = {"user_id"} | (frozenset(_IMPORTED_FIELDS.values()) if is_new else fields)
    checks = AuthChecks()
    checks.require(bool(row.user_id), "userId", IS_REQUIRED)
    if "role" in checked:
        checks.require(bool(row.role), "role", IS_REQUIRED)
        checks.require(row.role in _ROLE_NAMES, "role", f"must be one of {', '.join(_ROLE_NAMES)}")
        user.role = role_number(_ROLE_NAMES.get(row.role, Role.EMPLOYEE))
    if "name" in checked:
        checks.require(bool(row.name), "name", IS_REQUIRED)
    for field, sentence in problems_of(user):
        if _PROTO_NAMES.get(field.partition("[")[0]) in checked:
            checks.require(False, field, sentence)
    checks.done()
    _check_user(user, checked)
    new = NewUser(
        user_id=row.user_id,
        name=row.name.strip(),
        email=row.email,
        role=_ROLE_NAMES.get(row.role, Role.EMPLOYEE),
        teams=ordered_unique(row.teams),
        avatar_url=row.avatar_url,
        disabled=row.disabled,
        password="",
    )
    return Row(new, UserChanges(**{name: getattr(new, name) for name in fields}))


def _check_user(user: user_pb2.User, fields: Collection[str]) -> None:
    checks = AuthChecks()
    if "name" in fields:
        checks.printable("name", user.name)
    if "email" in fields:
        checks.email("email", user.email)
    if "teams" in fields:
        checks.teams("teams", user.teams)
    if "avatar_url" in fields:
        checks.require(not user.avatar_url or _is_https(user.avatar_url), "avatarUrl", "must be an https URL")
    checks.done()


def new_organization(request: directory_pb2.CreateOrganizationRequest) -> NewOrganization:
    """Reads a request to create an organization. Raises InvalidArgumentError."""
    organization = request.organization
    checks = AuthChecks()
    checks.require(bool(organization.organization_id), "organization.organizationId", IS_REQUIRED)
    _check_organization(checks, organization, {"name", "trusted_issuers"})
    checks.done()
    return NewOrganization(
        organization_id=organization.organization_id,
        name=organization.name.strip(),
        trusted_issuers=tuple(map(issuer_from_proto, organization.trusted_issuers)),
        group_creator_roles=_roles(organization.group_creator_roles),
    )


def organization_changes(request: directory_pb2.UpdateOrganizationRequest) -> OrganizationChanges:
    """Reads a request to update an organization. Raises InvalidArgumentError."""
    organization, fields = request.organization, frozenset(request.update_mask.paths)
    checks = AuthChecks()
    checks.require(bool(fields), "updateMask", "must name a field")
    checks.require(
        fields <= set(_ORGANIZATION_FIELDS), "updateMask", f"may only have {', '.join(_ORGANIZATION_FIELDS)}"
    )
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
        checks.require(bool(organization.name), "organization.name", IS_REQUIRED)
        checks.printable("organization.name", organization.name)
    if "trusted_issuers" in fields:
        checks.issuers("organization.trustedIssuers", organization.trusted_issuers)


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
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False
