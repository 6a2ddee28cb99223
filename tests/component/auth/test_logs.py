"""Tests that auth's logs name users by id, and contain no address, password or token."""

from __future__ import annotations

import secrets

from parley.auth.v1 import auth_pb2
from structlog.testing import capture_logs

from chassis.errors import Category
from tests.component.auth.crm import SharedSecretCrm
from tests.component.auth.expectations import refused
from tests.component.auth.test_exchange import claims_of
from tests.component.auth_service import PASSWORD, RunningAuth


async def test_no_secret_and_no_address_is_logged(auth: RunningAuth, organization_id: str) -> None:
    crm = SharedSecretCrm()
    await auth.create_organization(organization_id, trusted_issuers=[crm.trusted])
    with capture_logs() as entries:
        ann = await auth.sign_in_new(organization_id, "sales")
        with refused(Category.UNAUTHENTICATED, "INVALID_CREDENTIALS"):
            await auth.sign_in(ann.user.email, "a wrong password")
        token = ann.tokens.refresh_token
        tokens = [token]
        for _ in range(2):
            response = await auth.auth.RefreshToken(auth_pb2.RefreshTokenRequest(refresh_token=token), timeout=20)
            token = response.tokens.refresh_token
            tokens.append(token)
        with refused(Category.UNAUTHENTICATED, "REFRESH_TOKEN_REUSED"):
            await auth.auth.RefreshToken(auth_pb2.RefreshTokenRequest(refresh_token=tokens[0]), timeout=20)
        exchanged = crm.sign(claims_of(crm, sub=f"crm:{secrets.token_hex(4)}", email=ann.user.email))
        await auth.auth.ExchangeToken(auth_pb2.ExchangeTokenRequest(token=exchanged), timeout=20)
    assert {entry["event"] for entry in entries} >= {"refresh_token_reused", "email_left_out"}
    logged = repr(entries)
    for secret in (ann.user.email, PASSWORD, "a wrong password", ann.access_token, exchanged, crm.secret, *tokens):
        assert secret not in logged
