"""Issues tokens to the other services in exchange for their secrets."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256

from chassis.errors import PermissionDeniedError, UnauthenticatedError
from services.auth.settings import ServiceCredential
from services.auth.tokens import AccessToken, TokenSigner


class ServiceTokens:
    """Issues tokens to the services named in the settings."""

    def __init__(self, credentials: Mapping[str, ServiceCredential], signer: TokenSigner) -> None:
        self._credentials = credentials
        self._signer = signer
        self._hashes = {name: _hash(c.secret.get_secret_value()) for name, c in credentials.items()}
        self._unknown_service_hash = secrets.token_bytes(32)

    def issue(self, service: str, secret: str, organization_id: str) -> AccessToken:
        """Returns a token with the service's scopes, for one organization, or for all if the id is empty.

        Raises:
            UnauthenticatedError: INVALID_CREDENTIALS, for an unknown service and for a wrong secret.
            PermissionDeniedError: ORGANIZATION_NOT_ALLOWED.
        """
        matches = hmac.compare_digest(self._hashes.get(service, self._unknown_service_hash), _hash(secret))
        credential = self._credentials.get(service)
        if credential is None or not matches:
            raise UnauthenticatedError("INVALID_CREDENTIALS", "the service's name or its secret is wrong")
        allowed = credential.serves(organization_id) if organization_id else credential.serves_all
        if not allowed:
            raise PermissionDeniedError("ORGANIZATION_NOT_ALLOWED", "this service may not act in that organization")
        return self._signer.for_service(service, credential.scopes, organization_id)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
