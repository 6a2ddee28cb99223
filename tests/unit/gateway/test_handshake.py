"""The authorization of WebSocket upgrades."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest

from chassis.errors import AppError, UnauthenticatedError, UnavailableError
from chassis.identity import Identity
from gateway.transports.rate_limit import RateLimiter
from gateway.transports.websocket.handshake import OriginPolicy, Route, UpgradeAuthorizer, UpgradeRequest, status_of
from tests.unit.gateway.fixtures import identity

PREFIX = "base64url.bearer.authorization.parley."
SERVICE = Identity("acme", "", "", (), "", "", "chat", frozenset({"users.act"}), 2e9)


def verify(token: str) -> Identity:
    if token == "early":
        raise UnavailableError("KEYS_UNAVAILABLE", "not yet", retry_after_ms=1_000)
    if token not in {"good", "service"}:
        raise UnauthenticatedError("TOKEN_INVALID", "no")
    return SERVICE if token == "service" else identity()


ROUTES = {
    "/ws": Route({"parley.v1.json": "native"}),
    "/greeted": Route({"": "greeted"}, auth_in_first_frame=True),
}
LIMITER = RateLimiter(1_000_000, 1_000_000)
ALLOWED = OriginPolicy(frozenset({"https://crm.example"})).allows
AUTHORIZER = UpgradeAuthorizer(verify, ALLOWED, ROUTES, LIMITER, LIMITER)


def announced(token: str) -> str:
    return PREFIX + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def request(
    *,
    target: str = "/ws",
    host: str = "chat.example:8080",
    origin: str | None = None,
    authorization: str = "",
    subprotocols: Sequence[str] = (f"parley.v1.json, {announced('good')}",),
) -> UpgradeRequest:
    return UpgradeRequest(target, host, origin, authorization, subprotocols)


@pytest.mark.parametrize(
    "good",
    [
        request(),
        request(target="/ws?x=1"),
        request(subprotocols=[announced("good"), "parley.v1.json"]),
        request(subprotocols=["parley.v9.json ,parley.v1.json", announced("good")]),
        request(authorization="Bearer good", subprotocols=["parley.v1.json"]),
        request(authorization="bearer good", subprotocols=["parley.v1.json"]),
        request(origin="https://crm.example"),
        request(origin="http://chat.example:8080"),
        request(origin="https://CHAT.example:8080"),
    ],
)
def test_a_user_of_a_page_of_ours_is_let_in(good: UpgradeRequest) -> None:
    authorized = AUTHORIZER.authorize(good)
    assert authorized.identity == identity()
    assert authorized.token == "good"
    assert authorized.subprotocol == "parley.v1.json"


@pytest.mark.parametrize(
    ("bad", "status", "reason"),
    [
        (request(target="/"), 404, "NOT_FOUND"),
        (request(target="/ws/"), 404, "NOT_FOUND"),
        (request(origin="https://evil.example"), 403, "FOREIGN_ORIGIN"),
        (request(origin="https://crm.example.evil.example"), 403, "FOREIGN_ORIGIN"),
        (request(origin="http://crm.example"), 403, "FOREIGN_ORIGIN"),
        (request(origin="http://chat.example"), 403, "FOREIGN_ORIGIN"),
        (request(origin="null"), 403, "FOREIGN_ORIGIN"),
        (request(origin=""), 403, "FOREIGN_ORIGIN"),
        (request(origin="http://", host=""), 403, "FOREIGN_ORIGIN"),
        (request(origin="http://[", host="["), 403, "FOREIGN_ORIGIN"),
        (request(subprotocols=[]), 401, "TOKEN_MISSING"),
        (request(subprotocols=["parley.v1.json"]), 401, "TOKEN_MISSING"),
        (request(subprotocols=["parley.v1.json", announced("bad")]), 401, "TOKEN_INVALID"),
        (request(subprotocols=["parley.v1.json", announced("service")]), 401, "TOKEN_INVALID"),
        (request(subprotocols=["parley.v1.json", PREFIX]), 401, "TOKEN_INVALID"),
        (request(subprotocols=["parley.v1.json", PREFIX + "a"]), 401, "TOKEN_INVALID"),
        (request(subprotocols=["parley.v1.json", PREFIX + "_w"]), 401, "TOKEN_INVALID"),
        (request(subprotocols=["parley.v1.json", PREFIX + "$$$$"]), 401, "TOKEN_INVALID"),
        (request(authorization="Basic good"), 401, "TOKEN_INVALID"),
        (request(authorization="Bearer bad"), 401, "TOKEN_INVALID"),
        (request(subprotocols=[announced("good")]), 400, "SUBPROTOCOL_REQUIRED"),
        (request(subprotocols=["parley.v2.json", announced("good")]), 400, "SUBPROTOCOL_REQUIRED"),
        (request(authorization="Bearer good", subprotocols=[]), 400, "SUBPROTOCOL_REQUIRED"),
        (request(authorization="Bearer early"), 503, "KEYS_UNAVAILABLE"),
    ],
)
def test_anybody_else_is_refused_with_a_status_that_says_why(bad: UpgradeRequest, status: int, reason: str) -> None:
    with pytest.raises(AppError) as refusal:
        AUTHORIZER.authorize(bad)
    assert (status_of(refusal.value), refusal.value.reason) == (status, reason)


@pytest.mark.parametrize(
    ("subprotocols", "token", "agreed"),
    [
        ([], "", ""),
        (["ours"], "", "ours"),
        ([f"{announced('good')}, ours"], "good", "ours"),
        ([announced("good")], "good", announced("good")),
    ],
)
def test_who_says_later_who_it_is_is_let_in_without_a_token(subprotocols: list[str], token: str, agreed: str) -> None:
    authorized = AUTHORIZER.authorize(request(target="/greeted", subprotocols=subprotocols))
    assert authorized == ("greeted", None, token, agreed)


def test_an_origin_must_be_welcome_there_too() -> None:
    with pytest.raises(AppError, match="origin"):
        AUTHORIZER.authorize(request(target="/greeted", origin="https://evil.example"))
