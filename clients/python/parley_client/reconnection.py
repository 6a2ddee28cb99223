"""What to do when a connection ends or could not be made: native.md's close codes, as functions without I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from parley_client.backoff import Backoff
from parley_client.errors import (
    AccountDisabledError,
    MalformedFramesError,
    ParleyError,
    SessionRefusedError,
    UnauthenticatedError,
    UpgradeRefusedError,
)


class CloseCode(IntEnum):
    """The close codes that mean something to this protocol."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    ABNORMAL = 1006
    RESTART = 1012
    MALFORMED_FRAMES = 4400
    TOKEN_EXPIRED = 4401
    ACCOUNT_DISABLED = 4403
    TOO_SLOW = 4408
    TOO_MANY = 4429


@dataclass(frozen=True, slots=True)
class Retry:
    """Connect again after a while, with another token where the last one was refused."""

    after_seconds: float
    renew_token: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Connect no more."""

    error: SessionRefusedError


Decision = Retry | Stop

# A session that lasted less does not count as recovery: a server that accepts and then drops keeps seeing backoff.
STABLE_SECONDS = 5.0
# Being refused for excess starts this many doublings up.
_TOO_MANY_ATTEMPT = 3
# Statuses of the upgrade that another try may not get.
_PASSING_STATUSES = frozenset({408, 425, 429})
_UNAUTHORIZED = 401
_SERVER_ERRORS = 500


class ReconnectionPolicy:
    """Decides after each end of a connection; remembers how many attempts failed in a row."""

    def __init__(self, backoff: Backoff, random: Callable[[], float]) -> None:
        self._backoff = backoff
        self._random = random
        self._attempt = 0
        self._token_refused = False

    def unreachable(self) -> Retry:
        """Nobody answered, or the opening took too long."""
        return Retry(self._next_delay_seconds())

    def sign_in_failed(self, error: ParleyError) -> Decision:
        """No token could be had."""
        if error.retryable or error.code in {"INTERNAL", "UNKNOWN"}:
            return Retry(self._next_delay_seconds() + (error.retry_after_ms or 0) / 1000)
        return Stop(UnauthenticatedError(str(error)))

    def upgrade_refused(self, status: int, retry_after_ms: int | None) -> Decision:
        """The server answered the upgrade with an HTTP status."""
        if status == _UNAUTHORIZED:
            if self._token_refused:
                return Stop(UnauthenticatedError("a fresh token was refused, too"))
            self._token_refused = True
            return Retry(0.0, renew_token=True)
        if status in _PASSING_STATUSES or status >= _SERVER_ERRORS:
            return Retry(self._next_delay_seconds() + (retry_after_ms or 0) / 1000)
        return Stop(UpgradeRefusedError(status))

    def closed(self, code: int, *, lasted_seconds: float, reconnect_after_ms: int | None) -> Decision:
        """A connection ended.

        Args:
            code: the close code, 1006 when there was none.
            lasted_seconds: how long the session was ready; 0 when it never was.
            reconnect_after_ms: what a `session.closing` before it asked for.
        """
        if code == CloseCode.MALFORMED_FRAMES:
            return Stop(MalformedFramesError("the server took this client's frames for malformed"))
        if code == CloseCode.ACCOUNT_DISABLED:
            return Stop(AccountDisabledError("the account is disabled"))
        if lasted_seconds > 0:
            self._token_refused = False
        if lasted_seconds >= STABLE_SECONDS:
            self._attempt = 0
        if code == CloseCode.TOO_MANY:
            self._attempt = max(self._attempt, _TOO_MANY_ATTEMPT)
        if reconnect_after_ms is not None:
            # The server has drawn the jitter already.
            return Retry(reconnect_after_ms / 1000)
        return Retry(self._next_delay_seconds(), renew_token=code == CloseCode.TOKEN_EXPIRED)

    def _next_delay_seconds(self) -> float:
        delay_seconds = self._backoff.delay_seconds(self._attempt, self._random)
        self._attempt += 1
        return delay_seconds
