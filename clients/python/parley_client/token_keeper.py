"""Keeps the token of an open connection fresh: a newer one is sent before the old one expires."""

import logging
from collections.abc import Awaitable, Callable

from parley_client.errors import ConnectionLostError, ParleyError
from parley_client.options import Options
from parley_client.token_sources import TokenSource
from parley_client.tokens import AccessToken

_logger = logging.getLogger(__name__)
# How soon to look again at a token whose life is not known, in case that another has taken its place.
_UNKNOWN_LIFE_SECONDS = 60.0
# How soon to try again after a refusal.
_REFUSED_SECONDS = 60.0
# A token that is born expired must not make this a busy loop.
_LEAST_WAIT_SECONDS = 1.0


class TokenKeeper:
    """Renews tokens in time.

    It belongs to the client and not to a connection: a refresh that a lost connection cuts off would use up the refresh
    token and lose the answer.

    Args:
        tokens: where tokens come from.
        options: the clock, and how to wait between tries.
        present: shows a newer token to the server, on the open connection when there is one.
    """

    def __init__(
        self, tokens: TokenSource, options: Options, present: Callable[[AccessToken], Awaitable[None]]
    ) -> None:
        self._tokens = tokens
        self._options = options
        self._present = present

    async def run(self, token: AccessToken) -> None:
        """Keeps the token fresh, until cancelled."""
        while True:
            await self._options.clock.sleep(max(_LEAST_WAIT_SECONDS, self._seconds_left(token)))
            latest = await self._tokens.current()
            if self._seconds_left(latest) > 0:
                token = latest
                continue
            token = await self._renew(latest)
            await self._show(token)

    def _seconds_left(self, token: AccessToken) -> float:
        if token.renew_at is None:
            return _UNKNOWN_LIFE_SECONDS
        return token.renew_at - self._options.clock.time()

    async def _renew(self, token: AccessToken) -> AccessToken:
        attempt = 0
        while True:
            try:
                return await self._tokens.renew(token)
            except ParleyError as error:
                _logger.warning("token_not_renewed", extra={"code": error.code, "reason": error.reason})
                # A refusal is left to the connection, which the server will end for it.
                wait_seconds = (error.retry_after_ms or 0) / 1000 if error.retryable else _REFUSED_SECONDS
            backoff = self._options.reconnect_backoff
            await self._options.clock.sleep(wait_seconds + backoff.delay_seconds(attempt, self._options.random))
            attempt += 1

    async def _show(self, token: AccessToken) -> None:
        try:
            await self._present(token)
        except ConnectionLostError:
            # The next connection is opened with the newer token.
            return
        except ParleyError as error:
            _logger.warning("token_not_taken", extra={"code": error.code, "reason": error.reason})
