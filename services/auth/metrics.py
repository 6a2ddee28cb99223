"""Auth's own metrics, besides those of RPCs."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

SIGN_INS: Final = Counter("parley_auth_sign_ins_total", "Password sign-ins by outcome.", ["outcome"])
for _outcome in ("signed_in", "refused", "limited"):  # exports them from 0 on
    SIGN_INS.labels(_outcome)
SERVICE_TOKENS: Final = Counter(
    "parley_auth_service_tokens_total", "Requests for services' tokens by outcome.", ["outcome"]
)
for _outcome in ("issued", "refused", "limited"):
    SERVICE_TOKENS.labels(_outcome)
REFRESHES: Final = Counter("parley_auth_refreshes_total", "Uses of refresh tokens by outcome.", ["outcome"])
EXCHANGES: Final = Counter("parley_auth_exchanges_total", "Exchanges of issuers' tokens by outcome.", ["outcome"])
REVOCATIONS: Final = Counter("parley_auth_revocations_total", "Revocations published, by reason.", ["reason"])
WATCHERS: Final = Gauge("parley_auth_revocation_watchers", "Open streams of revocations.")
WATCHERS_PENDING: Final = Gauge("parley_auth_revocations_pending", "Revocations queued for watchers.")
WATCHER_OVERFLOWS: Final = Counter(
    "parley_auth_revocation_overflows_total", "Streams of revocations ended because the watcher was too slow."
)
LOCAL_LIMITS: Final = Counter(
    "parley_auth_local_limits_total",
    "Attempts to sign in or get a service's token counted locally because Redis was unavailable.",
)
