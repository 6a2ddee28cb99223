"""What requests to auth must look like; every problem of one is reported at once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from google.protobuf.field_mask_pb2 import FieldMask
from joserfc.jwk import OctKey
from parley.auth.v1 import user_pb2

from chassis.rpc.validation import FieldChecks
from services.auth.convert import role_from
from services.auth.domain import Algorithm, has_control_characters, is_email
from services.auth.issuer_url import is_key_set_url
from services.auth.passwords import MAX_PASSWORD_BYTES, MIN_PASSWORD_BYTES

MAX_NAME_CHARACTERS: Final = 100
MAX_TEAMS: Final = 50
MAX_TEAM_CHARACTERS: Final = 64
MAX_TEAMS_JSON_BYTES: Final = 2_000  # they stand in every access token, and so in headers
MAX_BATCH: Final = 200
MAX_CONTACTS: Final = 5_000
MAX_QUERY_CHARACTERS: Final = 100
_MAX_URL_CHARACTERS: Final = 2_048
_MAX_ISSUERS: Final = 20
_MAX_ISSUER_CHARACTERS: Final = 512
_MAX_CLAIM_CHARACTERS: Final = 64
_MIN_SECRET_BYTES: Final = 32  # RFC 7518, section 3.2
_MAX_SECRET_BYTES: Final = 1_024


class AuthChecks(FieldChecks):
    """The checks of auth's own fields."""

    def line(self, field: str, value: str, *, at_most: int) -> None:
        """Checks a text of one line that must say something."""
        self.text(field, value, at_least=1, at_most=at_most)
        self.require(bool(value.strip()), field, "must not be blank")
        self.require(not has_control_characters(value), field, "must not have control characters")

    def email(self, field: str, value: str) -> None:
        """Checks an address, which may be empty."""
        self.require(not value or is_email(value), field, "must be an e-mail address")

    def password(self, field: str, value: str) -> None:
        """Checks a new password."""
        self.require(
            MIN_PASSWORD_BYTES <= len(value.encode()) <= MAX_PASSWORD_BYTES,
            field,
            f"must have {MIN_PASSWORD_BYTES} to {MAX_PASSWORD_BYTES} bytes",
        )

    def role(self, field: str, number: int) -> None:
        """Checks that a role is given, and known."""
        self.require(role_from(number) is not None, field, "must be a role")

    def teams(self, field: str, teams: Sequence[str]) -> None:
        """Checks the names of teams."""
        self.require(len(teams) <= MAX_TEAMS, field, f"must be at most {MAX_TEAMS}")
        for index, team in enumerate(teams[:MAX_TEAMS]):
            self.line(f"{field}[{index}]", team, at_most=MAX_TEAM_CHARACTERS)
        size = len(json.dumps(list(teams)))
        self.require(size <= MAX_TEAMS_JSON_BYTES, field, f"must fit into {MAX_TEAMS_JSON_BYTES} bytes as JSON")

    def avatar_url(self, field: str, url: str) -> None:
        """Checks the address of a picture, which may be empty."""
        self.require(not url or _is_https(url), field, "must be an https address")

    def user_ids(self, field: str, user_ids: Sequence[str], *, at_most: int) -> None:
        """Checks a list of user ids."""
        if self.require(len(user_ids) <= at_most, field, f"must be at most {at_most}"):
            for index, user_id in enumerate(user_ids):
                self.user_id(f"{field}[{index}]", user_id)

    def mask(self, field: str, mask: FieldMask, known: Collection[str]) -> None:
        """Checks that a mask names fields, and only known ones."""
        self.require(bool(mask.paths), field, "must name a field")
        unknown = sorted(set(mask.paths) - set(known))
        self.require(not unknown, field, f"may only have {', '.join(sorted(known))}")

    def roles(self, field: str, numbers: Iterable[int]) -> None:
        """Checks a list of roles."""
        for index, number in enumerate(numbers):
            self.role(f"{field}[{index}]", number)

    def issuers(self, field: str, issuers: Sequence[user_pb2.TrustedIssuer]) -> None:
        """Checks the issuers that an organization trusts."""
        self.require(len(issuers) <= _MAX_ISSUERS, field, f"must be at most {_MAX_ISSUERS}")
        seen = set[str]()
        for index, issuer in enumerate(issuers[:_MAX_ISSUERS]):
            self._issuer(f"{field}[{index}]", issuer)
            self.require(issuer.issuer not in seen, f"{field}[{index}].issuer", "is there twice")
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
                "must be an https address, or an http one on loopback",
            )
            self.require(not issuer.shared_secret, f"{field}.sharedSecret", "is for HS256 alone")
        for descriptor, name in issuer.claims.ListFields():
            place = f"{field}.claims.{descriptor.json_name}"
            self.line(place, name, at_most=_MAX_CLAIM_CHARACTERS)

    def _shared_secret(self, field: str, issuer: user_pb2.TrustedIssuer) -> None:
        size = len(issuer.shared_secret.encode())
        fits = _MIN_SECRET_BYTES <= size <= _MAX_SECRET_BYTES
        sentence = f"must have {_MIN_SECRET_BYTES} to {_MAX_SECRET_BYTES} bytes"
        self.require(fits or not size, f"{field}.sharedSecret", sentence)
        self.require(not _is_public_key(issuer.shared_secret), f"{field}.sharedSecret", "must not be a public key")
        self.require(not issuer.jwks_url, f"{field}.jwksUrl", "does not go with HS256")


def _is_public_key(secret: str) -> bool:
    """Whether a secret is none at all: a key that others publish (RFC 8725, section 2.1)."""
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
