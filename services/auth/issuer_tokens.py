"""Verifies the tokens of trusted issuers with the configured algorithm and the issuer's own key.

Before the signature is verified, only two parts of a token are used: the issuer, to select its keys, and the key id, to
select one of them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError, MissingClaimError
from joserfc.jwk import Key, OctKey
from joserfc.jws import JWSRegistry

from chassis.errors import UnauthenticatedError
from chassis.identity import jwt_header
from services.auth.domain import Algorithm, TrustedIssuer
from services.auth.key_sets import KeySets

_MAX_TOKEN_CHARACTERS: Final = 16_384
_MAX_HEADER_BYTES: Final = 4_096
_MAX_ISSUER_CHARACTERS: Final = 512


class _Registry(JWSRegistry):
    """Accepts headers with certificates, and ignores unknown parameters (RFC 7515, section 4)."""

    max_header_length = _MAX_HEADER_BYTES

    def __init__(self, algorithm: Algorithm) -> None:
        super().__init__(algorithms=[algorithm.value], strict_check_header=False)


class IssuerTokens:
    """Verifies tokens.

    Args:
        key_sets: the issuers' published keys.
        unix_time: returns Unix time in seconds.
        leeway_seconds: the tolerated difference to an issuer's clock.
    """

    def __init__(self, key_sets: KeySets, unix_time: Callable[[], float], leeway_seconds: int) -> None:
        self._key_sets = key_sets
        self._unix_time = unix_time
        self._leeway_seconds = leeway_seconds

    async def verify(self, token: str, issuer: TrustedIssuer) -> dict[str, Any]:
        """Returns the claims of a token that an issuer signed.

        Raises:
            UnauthenticatedError: INVALID_TOKEN.
            UnavailableError: ISSUER_UNAVAILABLE.
        """
        key = await self._key_for(token, issuer)
        expected = jwt.JWTClaimsRegistry(
            now=int(self._unix_time()),
            leeway=self._leeway_seconds,
            iss={"essential": True, "value": issuer.issuer},
            aud={"essential": True, "value": issuer.audience},
            exp={"essential": True},
        )
        try:
            claims = jwt.decode(token, key, registry=_Registry(issuer.algorithm)).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            raise invalid_token("the token's signature is invalid") from None
        try:
            expected.validate(claims)
        except ExpiredTokenError:
            raise invalid_token("the token has expired") from None
        except MissingClaimError as error:
            raise invalid_token(f"the token has no claim {error.claim}") from None
        except ClaimError as error:
            raise invalid_token(f"the token's claim {error.claim} is not the configured or a valid one") from None
        except (JoseError, ValueError, TypeError, RecursionError):
            raise invalid_token("the token's claims are invalid") from None
        return claims

    async def _key_for(self, token: str, issuer: TrustedIssuer) -> Key:
        try:
            header = jwt_header(token)
        except ValueError:
            raise invalid_token("not a JWT") from None
        key_id = header.get("kid")
        if header.get("alg") != issuer.algorithm.value or not isinstance(key_id, str | None):
            raise invalid_token("the token's algorithm is not the configured one, or its key id is not a string")
        if issuer.algorithm is Algorithm.HS256:
            return OctKey.import_key(issuer.shared_secret)
        key = await self._key_sets.key(issuer.jwks_url, issuer.algorithm, key_id)
        if key is None:
            raise invalid_token("the issuer publishes no key with this id")
        return key


def claimed_issuer(token: str) -> str:
    """Returns the unverified issuer of a token. Raises UnauthenticatedError (INVALID_TOKEN) if it is no JWT."""
    parts = token.split(".")
    issuer = None
    if len(token) <= _MAX_TOKEN_CHARACTERS and len(parts) == 3:  # noqa: PLR2004  # header, payload, signature
        try:
            payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            issuer = payload.get("iss") if isinstance(payload, dict) else None
        except (ValueError, RecursionError):
            issuer = None
    if not isinstance(issuer, str) or not 1 <= len(issuer) <= _MAX_ISSUER_CHARACTERS:
        raise invalid_token("not a JWT with an issuer")
    return issuer


def invalid_token(sentence: str) -> UnauthenticatedError:
    """The token is not valid."""
    return UnauthenticatedError("INVALID_TOKEN", sentence)
