"""What auth counts of its own, beside the calls that the chassis measures."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

SIGN_INS: Final = Counter("parley_auth_sign_ins_total", "Attempts to sign in with a password.", ["outcome"])
for _outcome in ("signed_in", "refused", "limited"):  # seen from 0 on
    SIGN_INS.labels(_outcome)
REFRESHES: Final = Counter("parley_auth_refreshes_total", "Refresh tokens shown.", ["outcome"])
EXCHANGES: Final = Counter("parley_auth_exchanges_total", "Tokens of trusted issuers shown.", ["outcome"])
REVOCATIONS: Final = Counter("parley_auth_revocations_total", "Revocations published.", ["reason"])
WATCHERS: Final = Gauge("parley_auth_revocation_watchers", "Streams of revocations that are open.")
WATCHERS_PENDING: Final = Gauge("parley_auth_revocations_pending", "Revocations that wait for those who watch.")
WATCHER_OVERFLOWS: Final = Counter(
    "parley_auth_revocation_overflows_total", "Streams of revocations ended because their reader was too slow."
)
LOCAL_LIMITS: Final = Counter(
    "parley_auth_local_limits_total", "Attempts counted by this replica alone, for want of Redis."
)
