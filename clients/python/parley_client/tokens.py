"""Tokens and when to renew them; no I/O."""

import base64
import binascii
from dataclasses import dataclass, field

import msgspec

# Renewing after this part of a token's life leaves a fifth of it for tries that fail.
_RENEW_AFTER = 0.8
_JWT_PARTS = 3


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token, and when to replace it (seconds since the epoch); None where its life is not known."""

    value: str = field(repr=False)
    renew_at: float | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What signing in and refreshing give; `expires_in` is in seconds."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: float | None = None


class _Claims(msgspec.Struct):
    exp: float | None = None
    iat: float | None = None


def access_token_of(tokens: Tokens, now: float) -> AccessToken:
    """The access token of a pair that was just received, to be renewed well before it expires.

    The life that came with it counts, from now on; where none came, the token's own claims do, which are read and not
    verified: a wrong one only makes the client renew at the wrong time.
    """
    if tokens.expires_in is not None:
        return AccessToken(tokens.access_token, now + tokens.expires_in * _RENEW_AFTER)
    claims = _claims(tokens.access_token)
    if claims.exp is None:
        return AccessToken(tokens.access_token)
    born = now if claims.iat is None else min(claims.iat, now)
    return AccessToken(tokens.access_token, born + (claims.exp - born) * _RENEW_AFTER)


def _claims(token: str) -> _Claims:
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        return _Claims()
    payload = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(payload), type=_Claims)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return _Claims()
