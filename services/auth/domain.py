"""Auth's domain model: organizations, users and revocations, and pure rules on their fields."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Final

MAX_EMAIL_CHARACTERS: Final = 254  # RFC 5321, section 4.5.3.1.3, without the brackets
_MAX_LOCAL_PART: Final = 64  # RFC 5321, section 4.5.3.1.1
_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
_DOMAIN: Final = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+"
)
_WORD: Final = re.compile(r"[^\W_]+")


class Role(StrEnum):
    """A user's role in the organization; the values appear in tokens."""

    ADMIN = "admin"
    MANAGER = "manager"
    LEAD = "lead"
    SALES = "sales"
    EMPLOYEE = "employee"
    CLIENT = "client"
    AGENT_L1 = "agent_l1"
    AGENT_L2 = "agent_l2"
    AGENT_L3 = "agent_l3"
    BOT = "bot"


AGENTS: Final = frozenset({Role.AGENT_L1, Role.AGENT_L2, Role.AGENT_L3})
DEFAULT_GROUP_CREATORS: Final = (Role.ADMIN, Role.MANAGER, Role.LEAD, Role.AGENT_L1, Role.AGENT_L2, Role.AGENT_L3)


@dataclass(frozen=True, slots=True)
class User:
    """A person or bot of one organization.

    `revision` counts changes. A change is stored only if the user still has the revision that it is based on.
    """

    organization_id: str
    user_id: str
    name: str
    email: str  # as entered; empty if there is none
    role: Role
    teams: tuple[str, ...]
    avatar_url: str
    disabled: bool
    create_time: datetime
    update_time: datetime
    revision: int

    @property
    def name_key(self) -> str:
        """The key by which listings are ordered, before the user id."""
        return self.name.casefold()

    @property
    def is_acting_admin(self) -> bool:
        """Whether the user is an enabled administrator."""
        return self.role is Role.ADMIN and not self.disabled


class Algorithm(StrEnum):
    """The algorithm of an issuer's signatures (RFC 7518, RFC 8037)."""

    HS256 = "HS256"
    RS256 = "RS256"
    ES256 = "ES256"
    EDDSA = "EdDSA"


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """The claims of an issuer's tokens that describe the user."""

    user_id: str = "sub"
    name: str = "name"
    email: str = "email"
    role: str = "role"
    teams: str = "teams"


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An external system, such as a CRM, whose tokens can be exchanged for Parley's.

    `shared_secret` is only for HS256, `jwks_url` only for the other algorithms. The repr does not contain the secret.
    """

    issuer: str
    audience: str
    algorithm: Algorithm
    shared_secret: bytes
    jwks_url: str
    claims: ClaimNames

    def __repr__(self) -> str:
        return f"TrustedIssuer({self.issuer!r}, {self.algorithm})"


@dataclass(frozen=True, slots=True)
class Organization:
    """A company, with its own users and conversations."""

    organization_id: str
    name: str
    trusted_issuers: tuple[TrustedIssuer, ...]
    group_creator_roles: tuple[Role, ...]
    create_time: datetime


@dataclass(frozen=True, slots=True)
class OrganizationChanges:
    """Changes to an organization; None leaves a field unchanged.

    An issuer of HS256 without a secret keeps its present one: responses contain no secrets, so callers that change the
    list can't send them back.
    """

    name: str | None
    trusted_issuers: tuple[TrustedIssuer, ...] | None
    group_creator_roles: tuple[Role, ...] | None


class RevocationReason(StrEnum):
    """The reason why tokens were revoked."""

    SESSION_REVOKED = "session_revoked"
    ACCOUNT_DISABLED = "account_disabled"
    ROLE_CHANGED = "role_changed"


@dataclass(frozen=True, slots=True)
class Revocation:
    """The revocation of the tokens of a session; if `session_id` is empty, of a user's before `user_revision`."""

    organization_id: str
    user_id: str
    session_id: str
    reason: RevocationReason
    user_revision: int = 0
    expires_at: int = 0  # Unix time in s at which the last of the tokens expires


def request_digest(organization_id: str, caller: str, method: str, request_id: str, target: str = "") -> bytes | None:
    """Returns what identifies a caller's request, 128 bits of BLAKE2b; None for an empty request id.

    Args:
        organization_id: the organization that the caller acts in; empty for none.
        caller: the user or service, with a prefix that distinguishes the two.
        method: the name of the RPC.
        request_id: chosen by the caller.
        target: the id of what the request changes; empty for a creation.
    """
    if not request_id:
        return None
    digest = blake2b(digest_size=16)
    for part in (organization_id, caller, method, request_id, target):
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.digest()


def email_key(email: str) -> str:
    """Returns the form in which addresses are compared, which ignores case."""
    return email.strip().lower()


def is_email(email: str) -> bool:
    """Returns whether an address has the form that Parley accepts: ASCII, unquoted, a domain of at least two labels.

    It is deliberately stricter than RFC 5322: no quoting, no comments, nothing that another program could read as a
    second address or a header.
    """
    local, separator, domain = email.rpartition("@")
    return (
        bool(separator)
        and len(email) <= MAX_EMAIL_CHARACTERS
        and len(local) <= _MAX_LOCAL_PART
        and _LOCAL_PART.fullmatch(local) is not None
        and not (local.startswith(".") or local.endswith(".") or ".." in local)
        and _DOMAIN.fullmatch(domain) is not None
    )


def has_control_characters(text: str) -> bool:
    """Returns whether a text has control characters, surrogates, or separators of lines or paragraphs."""
    return any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text)


def search_words(user_id: str, name: str, email: str) -> list[str]:
    """Returns the lower-case words, of name, user id and address, whole and split, whose prefixes find a user."""
    words = set[str]()
    for text in (*name.split(), user_id, email, *email.split("@")):
        folded = text.casefold()
        words.add(folded)
        words.update(_WORD.findall(folded))
    return sorted(words - {""})


def query_words(query: str) -> list[str]:
    """Returns the words of a query; a user matches if each is a prefix of one of the user's words."""
    return sorted(set(query.casefold().split()))


def ordered_unique(values: Iterable[str]) -> tuple[str, ...]:
    """Returns the values without duplicates, in the order of their first appearance."""
    return tuple(dict.fromkeys(values))
