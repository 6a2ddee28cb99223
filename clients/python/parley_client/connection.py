"""Keeps a connection open: connects, and connects again, until it is refused or cancelled."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from parley_client.calls import Calls
from parley_client.errors import (
    AccountDisabledError,
    FrameError,
    MalformedFramesError,
    ParleyError,
    SessionRefusedError,
    UnauthenticatedError,
    UpgradeRefusedError,
)
from parley_client.events import SessionClosing, SessionReady, decode_event
from parley_client.options import Backoff, Options
from parley_client.protocol import EventFrame, decode_body, decode_frame
from parley_client.tokens import AccessToken, TokenSource
from parley_client.transport import (
    CloseCode,
    Connect,
    Transport,
    TransportClosedError,
    UnreachableError,
    UpgradeStatusError,
    websocket_connector,
    websocket_url,
)


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
_TOO_MANY_MIN_ATTEMPT = 3
# Statuses of the upgrade that another try may not get.
_TRANSIENT_STATUSES = frozenset({408, 425, 429})
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
        if status in _TRANSIENT_STATUSES or status >= _SERVER_ERRORS:
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
            self._attempt = max(self._attempt, _TOO_MANY_MIN_ATTEMPT)
        if reconnect_after_ms is not None:
            # The server has drawn the jitter already.
            return Retry(reconnect_after_ms / 1000)
        return Retry(self._next_delay_seconds(), renew_token=code == CloseCode.TOKEN_EXPIRED)

    def _next_delay_seconds(self) -> float:
        delay_seconds = self._backoff.delay_seconds(self._attempt, self._random)
        self._attempt += 1
        return delay_seconds


_logger = logging.getLogger(__name__)
# How long a connection that the server is about to close is kept for the answers that are still to come.
_DRAIN_SECONDS = 5.0


class Connection:
    """One open connection.

    Args:
        transport: the connection.
        calls: the requests to write and to answer.
        on_event: called with each event after the first, in the order in which they came.
        work: what is to be done while the session lasts; cancelled at its end.
    """

    def __init__(
        self,
        transport: Transport,
        calls: Calls,
        on_event: Callable[[EventFrame], None],
        work: Callable[[], Awaitable[None]],
    ) -> None:
        self._transport = transport
        self._calls = calls
        self._on_event = on_event
        self._run_session = work
        self._closing = asyncio.Event()
        self.reconnect_after_ms: int | None = None

    async def open(self, timeout_seconds: float) -> SessionReady:
        """Waits for `session.ready`.

        Raises:
            TransportClosedError: the connection ended first.
            TimeoutError, FrameError: it did not come in time, or something else did.
        """
        async with asyncio.timeout(timeout_seconds):
            frame = decode_frame(await self._transport.receive())
        if not isinstance(frame, EventFrame) or frame.name != SessionReady.name:
            raise FrameError("the first frame was not session.ready")
        return decode_body(frame.body, SessionReady)

    async def run(self) -> int:
        """Serves the connection to its end; returns the close code."""
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self._write()), group.create_task(self._close_gracefully())]
            helpers.append(group.create_task(_run(self._run_session)))
            code = await self._read()
            for helper in helpers:
                helper.cancel()
        return code

    async def _read(self) -> int:
        try:
            while True:
                frame = decode_frame(await self._transport.receive())
                if isinstance(frame, EventFrame):
                    self._handle_event(frame)
                else:
                    self._calls.handle_reply(frame)
        except TransportClosedError as closed:
            return closed.code
        except FrameError:
            # What else was lost with it cannot be known; the next connection makes up for it.
            _logger.warning("frame_not_understood")
            await self._transport.close(CloseCode.PROTOCOL_ERROR)
            return CloseCode.PROTOCOL_ERROR

    def _handle_event(self, frame: EventFrame) -> None:
        if frame.name == SessionClosing.name:
            self.reconnect_after_ms = _reconnect_after_ms(frame)
            self._closing.set()
        self._on_event(frame)

    async def _write(self) -> None:
        try:
            while True:
                for frame in self._calls.take_unsent():
                    await self._transport.send(frame)
                    if self._closing.is_set():
                        return
                await self._calls.wait_unsent()
                if self._closing.is_set():
                    return
        except TransportClosedError:
            # Reading ends for the same reason, and says why.
            return

    async def _close_gracefully(self) -> None:
        """When the server announces the end: no new requests, the open ones answered, then goodbye."""
        await self._closing.wait()
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._calls.wait_idle()
        except TimeoutError:
            _logger.info("farewell_with_open_requests")
        await self._transport.close()


def _reconnect_after_ms(frame: EventFrame) -> int | None:
    event = decode_event(frame)
    return event.reconnect_after_ms if isinstance(event, SessionClosing) else None


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()


_logger = logging.getLogger(__name__)


class Owner(Protocol):
    """Whom the link tells of its sessions."""

    def session_ready(self, ready: SessionReady) -> None:
        """A session began."""
        ...

    def event_received(self, frame: EventFrame) -> None:
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
        self._run_session = work
        self._connect = options.connect or default_connect(options)
        self._policy = ReconnectionPolicy(options.reconnect_backoff, options.random)
        self._token: AccessToken | None = None
        self.last_error = "none yet"

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
            self.last_error = str(error)
            decision = self._policy.sign_in_failed(error)
            return replace(decision, renew_token=renew_token) if isinstance(decision, Retry) else decision
        except UpgradeStatusError as error:
            self.last_error = str(error)
            return self._policy.upgrade_refused(error.status, error.retry_after_ms)
        except UnreachableError as error:
            self.last_error = str(error)
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
        session = Connection(transport, self._calls, self._owner.event_received, self._run_session)
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
        self.last_error = f"closed with code {code}"
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
