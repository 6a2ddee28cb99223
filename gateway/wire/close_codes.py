"""With what codes connections are closed; the contract says of each whether and when to come back."""

from __future__ import annotations

from typing import Final

GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011
RESTART: Final = 1012
MALFORMED: Final = 4400
TOKEN_ENDED: Final = 4401
ACCOUNT_DISABLED: Final = 4403
TOO_SLOW: Final = 4408
TOO_MANY: Final = 4429
