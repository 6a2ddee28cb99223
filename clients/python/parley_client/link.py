"""Keeps a connection open: connects, and connects again, until it is refused or cancelled."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from parley_client.calls import Calls
from parley_client.errors import FrameError, ParleyError
from parley_client.events import SessionReady
from parley_client.frames import EventFrame
from parley_client.options import Options
from parley_client.reconnection import CloseCode, Decision, ReconnectionPolicy, Retry, Stop
from parley_client.session import Session
from parley_client.token_sources import TokenSource
from parley_client.tokens import AccessToken
from parley_client.transport import (
    Connect,
    Transport,
    TransportClosedError,
    UnreachableError,
    UpgradeStatusError,
    websocket_connector,
    websocket_url,
)

_logger = logging.getLogger(__name__)


class Owner(Protocol):
    """Whom the link tells of its sessions."""

    def session_ready(self, ready: SessionReady) -> None:
        """A session began."""
        ...

    def event_came(self, frame: EventFrame) -> None:
        """The session brought an event."""
        ...

    def session_lost(self, code: int) -> None:
        """The session ended."""
        ...


class ConnectionLoop:
    """One client's connections, one after the other."""

    def __init__(
        self,
        url: str,
        tokens: TokenSource,
        options: Options,
        *,
        calls: Calls,
        owner: Owner,
        work: Callable[[], Awaitable[None]],
    ) -> None:
        self._url = websocket_url(url)
        self._tokens = tokens
        self._options = options
        self._calls = calls
        self._owner = owner
        self._work = work
        self._connect = options.connect or default_connect(options)
        self._policy = ReconnectionPolicy(options.reconnect_backoff, options.random)
        self._token: AccessToken | None = None
        self.last_problem = "none yet"

    async def run(self) -> None:
        """Stays connected.

        Raises:
            SessionRefusedError: the server will not have this client.
        """
        renew_token = False
        while True:
            decision = await self._connect_once(renew_token=renew_token)
            if isinstance(decision, Stop):
                raise decision.error
            renew_token = decision.renew_token
            _logger.info("reconnecting", extra={"after_seconds": round(decision.after_seconds, 3)})
            await self._options.clock.sleep(decision.after_seconds)

    async def _connect_once(self, *, renew_token: bool) -> Decision:
        try:
            token = await self._next_token(renew=renew_token)
            transport = await self._connect(self._url, token.value)
        except ParleyError as error:
            self.last_problem = str(error)
            decision = self._policy.sign_in_failed(error)
            return replace(decision, renew_token=renew_token) if isinstance(decision, Retry) else decision
        except UpgradeStatusError as error:
            self.last_problem = str(error)
            return self._policy.upgrade_refused(error.status, error.retry_after_ms)
        except UnreachableError as error:
            self.last_problem = str(error)
            return self._policy.unreachable()
        return await self._serve(transport)

    async def _next_token(self, *, renew: bool) -> AccessToken:
        if renew and self._token is not None:
            self._token = await self._tokens.renew(self._token)
        else:
            self._token = await self._tokens.current()
        return self._token

    async def _serve(self, transport: Transport) -> Decision:
        clock = self._options.clock
        session = Session(transport, self._calls, self._owner.event_came, self._work)
        ready_at: float | None = None
        try:
            ready = await session.open(self._options.open_timeout_seconds)
            ready_at = clock.monotonic()
            self._owner.session_ready(ready)
            code = await session.run()
        except TransportClosedError as closed:
            code = closed.code
        except (TimeoutError, FrameError) as error:
            _logger.warning("session_not_opened", extra={"error": type(error).__name__})
            code = CloseCode.PROTOCOL_ERROR
        finally:
            self._calls.connection_lost()
            await transport.close()
        self.last_problem = f"closed with code {code}"
        if ready_at is None:
            return self._policy.closed(code, lasted_seconds=0.0, reconnect_after_ms=None)
        self._owner.session_lost(code)
        return self._policy.closed(
            code, lasted_seconds=clock.monotonic() - ready_at, reconnect_after_ms=session.reconnect_after_ms
        )


def default_connect(options: Options) -> Connect:
    """Connections over real sockets."""
    return websocket_connector(
        open_timeout_seconds=options.open_timeout_seconds, ping_interval_seconds=options.ping_interval_seconds
    )
