"""Converts between auth's values and the protos."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from parley.auth.v1 import auth_pb2, directory_pb2, user_pb2

from chassis.errors import AppError
from services.auth.domain import Algorithm, ClaimNames, Organization, Role, TrustedIssuer, User
from services.auth.sessions import SessionTokens
from services.auth.user_import import Result

_ROLE_NUMBERS: Final = {role: user_pb2.Role.Value(f"ROLE_{role.name}") for role in Role}
_ROLES: Final = {number: role for role, number in _ROLE_NUMBERS.items()}


def role_from(number: int) -> Role | None:
    """Returns the role of a number; None for an unknown or unspecified one."""
    return _ROLES.get(user_pb2.Role.ValueType(number))


def role_number(role: Role) -> user_pb2.Role.ValueType:
    """Returns the number of a role."""
    return _ROLE_NUMBERS[role]


def result_to_proto(user_id: str, result: Result) -> directory_pb2.UserRowResult:
    """Converts the result of a row."""
    answer = directory_pb2.UserRowResult(user_id=user_id)
    if isinstance(result, AppError):
        answer.outcome = directory_pb2.UPSERT_OUTCOME_FAILED
        answer.reason, answer.message = result.reason, result.message
        for field, description in result.fields.items():
            answer.errors.add(field=field, description=description)
    else:
        answer.outcome = directory_pb2.UpsertOutcome.Value(f"UPSERT_OUTCOME_{result.name}")
    return answer


def timestamp(time: datetime) -> Timestamp:
    """Converts a time."""
    converted = Timestamp()
    converted.FromDatetime(time)
    return converted


def user_to_proto(user: User) -> user_pb2.User:
    """Converts a user."""
    return user_pb2.User(
        user_id=user.user_id,
        organization_id=user.organization_id,
        name=user.name,
        email=user.email,
        role=_ROLE_NUMBERS[user.role],
        teams=user.teams,
        avatar_url=user.avatar_url,
        disabled=user.disabled,
        create_time=timestamp(user.create_time),
        update_time=timestamp(user.update_time),
    )


def tokens_to_proto(tokens: SessionTokens) -> auth_pb2.Tokens:
    """Converts the tokens of a session."""
    return auth_pb2.Tokens(
        access_token=tokens.access.text,
        refresh_token=tokens.refresh,
        expire_time=timestamp(tokens.access.expire_time),
    )


def organization_to_proto(organization: Organization) -> user_pb2.Organization:
    """Converts an organization, without the secrets of its issuers."""
    return user_pb2.Organization(
        organization_id=organization.organization_id,
        name=organization.name,
        trusted_issuers=[_issuer_to_proto(issuer) for issuer in organization.trusted_issuers],
        group_creator_roles=[_ROLE_NUMBERS[role] for role in organization.group_creator_roles],
        create_time=timestamp(organization.create_time),
    )


def _issuer_to_proto(issuer: TrustedIssuer) -> user_pb2.TrustedIssuer:
    converted = user_pb2.TrustedIssuer(
        issuer=issuer.issuer,
        audience=issuer.audience,
        algorithm=issuer.algorithm.value,
        claims=user_pb2.ClaimNames(
            user_id=issuer.claims.user_id,
            name=issuer.claims.name,
            email=issuer.claims.email,
            role=issuer.claims.role,
            teams=issuer.claims.teams,
        ),
    )
    if issuer.jwks_url:
        converted.jwks_url = issuer.jwks_url
    return converted


def issuer_from_proto(issuer: user_pb2.TrustedIssuer) -> TrustedIssuer:
    """Converts a validated issuer."""
    defaults = ClaimNames()
    claims = issuer.claims
    return TrustedIssuer(
        issuer=issuer.issuer,
        audience=issuer.audience,
        algorithm=Algorithm(issuer.algorithm),
        shared_secret=issuer.shared_secret.encode(),
        jwks_url=issuer.jwks_url,
        claims=ClaimNames(
            user_id=claims.user_id or defaults.user_id,
            name=claims.name or defaults.name,
            email=claims.email or defaults.email,
            role=claims.role or defaults.role,
            teams=claims.teams or defaults.teams,
        ),
    )
