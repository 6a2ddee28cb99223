"""Issues tokens to the other services in exchange for their secrets."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256

from chassis.errors import PermissionDeniedError, ResourceExhaustedError, UnauthenticatedError
from services.auth import metrics
from services.auth.limits import ServiceTokenLimits
from services.auth.settings import ServiceCredential
from services.auth.tokens import AccessToken, TokenSigner


class ServiceTokens:
    """Issues tokens to the services named in the settings, within the limits."""

    def __init__(
        self, credentials: Mapping[str, ServiceCredential], signer: TokenSigner, limits: ServiceTokenLimits
    ) -> None:
        self._limits = limits
        self._credentials = credentials
        self._signer = signer
        self._hashes = {name: _hash(c.secret.get_secret_value()) for name, c in credentials.items()}
        self._unknown_service_hash = secrets.token_bytes(32)

    async def issue(self, service: str, secret: str, organization_id: str, address: str) -> AccessToken:
        """Returns a token with the service's scopes, for one organization, or for all if the id is empty.

        Args:
            service: the service's name.
            secret: the service's secret.
            organization_id: the organization to limit the token to; empty for none.
            address: the network address of the attempt; empty if it is unknown.

        Raises:
            UnauthenticatedError: INVALID_CREDENTIALS, for an unknown service and for a wrong secret.
            PermissionDeniedError: ORGANIZATION_NOT_ALLOWED.
            ResourceExhaustedError: TOO_MANY_ATTEMPTS.
        """
        try:
            await self._limits.admit(address)
        except ResourceExhaustedError:
            metrics.SERVICE_TOKENS.labels("limited").inc()
            raise
        matches = hmac.compare_digest(self._hashes.get(service, self._unknown_service_hash), _hash(secret))
        credential = self._credentials.get(service)
        if credential is None or not matches:
            metrics.SERVICE_TOKENS.labels("refused").inc()
            raise UnauthenticatedError("INVALID_CREDENTIALS", "the service's name or its secret is wrong")
        await self._limits.refund(address)
        allowed = credential.serves(organization_id) if organization_id else credential.serves_all
        if not allowed:
            metrics.SERVICE_TOKENS.labels("refused").inc()
            raise PermissionDeniedError("ORGANIZATION_NOT_ALLOWED", "this service may not act in that organization")
        metrics.SERVICE_TOKENS.labels("issued").inc()
        return self._signer.for_service(service, credential.scopes, organization_id)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
