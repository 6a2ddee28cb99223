"""Reads the user's profile from the claims of a trusted issuer's token, by the organization's claim names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chassis.contract.fields import ID_SENTENCE
from chassis.errors import InvalidArgumentError
from chassis.rpc.validation import USER_ID_PATTERN
from services.auth.domain import ClaimNames, Role, ordered_unique
from services.auth.issuer_tokens import invalid_token
from services.auth.requests import AuthChecks

_MAX_NAME_CHARACTERS: Final = 100
_MAX_TEAMS: Final = 50
_MAX_TEAM_CHARACTERS: Final = 64
_ROLES: Final = {role.value: role for role in Role}


@dataclass(frozen=True, slots=True)
class Profile:
    """The fields of a user in a token; None for those that it does not contain."""

    user_id: str
    name: str | None
    email: str | None
    role: Role | None
    teams: tuple[str, ...] | None

    def __repr__(self) -> str:
        return f"Profile({self.user_id!r})"


def read_profile(claims: Mapping[str, Any], names: ClaimNames) -> Profile:
    """Reads the claims. Raises UnauthenticatedError (INVALID_TOKEN) with the problem of each invalid claim."""
    checks = AuthChecks()
    user_id = _user_id(claims.get(names.user_id))
    checks.require(USER_ID_PATTERN.fullmatch(user_id) is not None, names.user_id, ID_SENTENCE)
    name = _text(checks, names.name, claims)
    if name is not None:
        _check_line(checks, names.name, name, _MAX_NAME_CHARACTERS)
    email = _text(checks, names.email, claims)
    if email is not None:
        checks.email(names.email, email)
    role = _text(checks, names.role, claims)
    checks.require(role is None or role in _ROLES, names.role, f"must be one of {', '.join(_ROLES)}")
    teams = _teams(checks, names.teams, claims)
    try:
        checks.done()
    except InvalidArgumentError as error:
        raise invalid_token(f"invalid claims: {error.message}") from None
    return Profile(
        user_id=user_id,
        name=name.strip() if name is not None else None,
        email=email,
        role=_ROLES[role] if role is not None else None,
        teams=teams,
    )


def _user_id(value: Any) -> str:
    """Converts a user id, which may be a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if 0 <= value < 2**63 else ""
    return value if isinstance(value, str) else ""


def _text(checks: AuthChecks, claim: str, claims: Mapping[str, Any]) -> str | None:
    """Reads a string claim; an empty one counts as absent."""
    value = claims.get(claim)
    if value is None or isinstance(value, str):
        return value or None
    checks.require(False, claim, "must be a string")
    return None


def _teams(checks: AuthChecks, claim: str, claims: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = claims.get(claim)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(team, str) for team in value):
        checks.require(False, claim, "must be a list of strings")
        return None
    checks.require(len(value) <= _MAX_TEAMS, claim, f"must have at most {_MAX_TEAMS} items")
    for index, team in enumerate(value[:_MAX_TEAMS]):
        _check_line(checks, f"{claim}[{index}]", team, _MAX_TEAM_CHARACTERS)
    checks.teams(claim, value[:_MAX_TEAMS])
    return ordered_unique(value)


def _check_line(checks: AuthChecks, claim: str, value: str, most: int) -> None:
    checks.require(0 < len(value) <= most, claim, f"must have 1 to {most} characters")
    checks.require(not value.isspace(), claim, "must not be blank")
    checks.printable(claim, value)
