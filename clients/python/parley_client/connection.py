"""The client's connection: opening it, serving it to its end, and reconnecting until the server refuses the client."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

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

_logger = logging.getLogger(__name__)
# A shorter session does not reset the backoff: a server that accepts and then drops connections keeps seeing it.
STABLE_SECONDS = 5.0
# The attempt whose backoff a close for excessive load (4429) starts at, at least.
_TOO_MANY_MIN_ATTEMPT = 3
# Upgrade statuses after which a retry may succeed, besides all server errors.
_TRANSIENT_STATUSES = frozenset({408, 425, 429})
_UNAUTHORIZED = 401
_SERVER_ERRORS = 500
# How long to wait for outstanding replies after the server announced the close.
_DRAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Reconnect after a delay, with a renewed token if the server refused the last one."""

    after_seconds: float
    renew_token: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Do not reconnect."""

    error: SessionRefusedError


Decision = Retry | Stop


class ReconnectionPolicy:
    """Decides what follows a failed attempt or a closed connection; counts failures in a row. No I/O.

    Source: the table of close codes in docs/protocol.md.
    """

    def __init__(self, backoff: Backoff, random: Callable[[], float]) -> None:
        self._backoff = backoff
        self._random = random
        self._attempt = 0
        self._token_refused = False

    def unreachable(self) -> Retry:
        """Decides after no connection could be opened in time."""
        return Retry(self._next_delay_seconds())

    def sign_in_failed(self, error: ParleyError) -> Decision:
        """Decides after the token source failed."""
        if error.retryable or error.code in {"INTERNAL", "UNKNOWN"}:
            return Retry(self._next_delay_seconds() + (error.retry_after_ms or 0) / 1000)
        return Stop(UnauthenticatedError(str(error)))

    def upgrade_refused(self, status: int, retry_after_ms: int | None) -> Decision:
        """Decides after the server answered the upgrade with an HTTP status."""
        if status == _UNAUTHORIZED:
            if self._token_refused:
                return Stop(UnauthenticatedError("the server refused a renewed token as well"))
            self._token_refused = True
            return Retry(0.0, renew_token=True)
        if status in _TRANSIENT_STATUSES or status >= _SERVER_ERRORS:
            return Retry(self._next_delay_seconds() + (retry_after_ms or 0) / 1000)
        return Stop(UpgradeRefusedError(status))

    def closed(self, code: int, *, lasted_seconds: float, reconnect_after_ms: int | None) -> Decision:
        """Decides after a connection was closed.

        Args:
            code: the close code; 1006 if there was none.
            lasted_seconds: how long the session was ready; 0 if it never was.
            reconnect_after_ms: the delay that a preceding `session.closing` asked for.
        """
        if code == CloseCode.MALFORMED_FRAMES:
            return Stop(MalformedFramesError("the server closed the connection: too many malformed frames"))
        if code == CloseCode.ACCOUNT_DISABLED:
            return Stop(AccountDisabledError("the account is disabled"))
        if lasted_seconds > 0:
            self._token_refused = False
        if lasted_seconds >= STABLE_SECONDS:
            self._attempt = 0
        if code == CloseCode.TOO_MANY:
            self._attempt = max(self._attempt, _TOO_MANY_MIN_ATTEMPT)
        if reconnect_after_ms is not None:
            # The server's value includes jitter.
            return Retry(reconnect_after_ms / 1000)
        return Retry(self._next_delay_seconds(), renew_token=code == CloseCode.TOKEN_EXPIRED)

    def _next_delay_seconds(self) -> float:
        delay_seconds = self._backoff.delay_seconds(self._attempt, self._random)
        self._attempt += 1
        return delay_seconds


class Connection:
    """One open connection.

    Args:
        transport: carries the frames.
        calls: the requests to send and to resolve.
        on_event: called with each event after the first, in order of arrival.
        while_open: run while the connection is open; cancelled at its end.
    """

    def __init__(
        self,
        transport: Transport,
        calls: Calls,
        on_event: Callable[[EventFrame], None],
        while_open: Callable[[], Awaitable[None]],
    ) -> None:
        self._transport = transport
        self._calls = calls
        self._on_event = on_event
        self._while_open = while_open
        self._closing = asyncio.Event()
        self.reconnect_after_ms: int | None = None

    async def open(self, timeout_seconds: float) -> SessionReady:
        """Waits for `session.ready`.

        Raises:
            TransportClosedError: the connection closed first.
            TimeoutError, FrameError: the event did not come in time, or was not the first frame.
        """
        async with asyncio.timeout(timeout_seconds):
            frame = decode_frame(await self._transport.receive())
        if not isinstance(frame, EventFrame) or frame.name != SessionReady.name:
            raise FrameError("the first frame was not session.ready")
        return decode_body(frame.body, SessionReady)

    async def run(self) -> int:
        """Serves the connection until it closes; returns the close code."""
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self._write()), group.create_task(self._close_when_announced())]
            helpers.append(group.create_task(_run(self._while_open)))
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
            # The lost frame may have been anything; catch-up on the next connection makes up for it.
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
            # _read ends for the same reason, and returns the code.
            return

    async def _close_when_announced(self) -> None:
        """After `session.closing`, waits for the outstanding replies, then closes; `_write` sends nothing more."""
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


async def _run(function: Callable[[], Awaitable[None]]) -> None:
    await function()


@dataclass(frozen=True, slots=True)
class ConnectionHandlers:
    """The callbacks of a ConnectionLoop.

    Attributes:
        on_ready: called with the first event of each connection.
        on_event: called with each later event.
        on_lost: called with the close code of a connection that was ready.
        while_open: run while a connection is ready; cancelled at its end.
    """

    on_ready: Callable[[SessionReady], None]
    on_event: Callable[[EventFrame], None]
    on_lost: Callable[[int], None]
    while_open: Callable[[], Awaitable[None]]


class ConnectionLoop:
    """Keeps one client connected, with one connection at a time."""

    def __init__(
        self, url: str, tokens: TokenSource, options: Options, *, calls: Calls, handlers: ConnectionHandlers
    ) -> None:
        self._url = websocket_url(url)
        self._tokens = tokens
        self._options = options
        self._calls = calls
        self._handlers = handlers
        self._connect = options.connect or default_connect(options)
        self._policy = ReconnectionPolicy(options.reconnect_backoff, options.random)
        self._token: AccessToken | None = None
        self.last_error = "none yet"

    async def run(self) -> None:
        """Connects, and reconnects, until cancelled.

        Raises:
            SessionRefusedError: the server refuses this client for good.
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
        connection = Connection(transport, self._calls, self._handlers.on_event, self._handlers.while_open)
        ready_at: float | None = None
        try:
            ready = await connection.open(self._options.open_timeout_seconds)
            ready_at = clock.monotonic()
            self._handlers.on_ready(ready)
            code = await connection.run()
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
        self._handlers.on_lost(code)
        return self._policy.closed(
            code, lasted_seconds=clock.monotonic() - ready_at, reconnect_after_ms=connection.reconnect_after_ms
        )


def default_connect(options: Options) -> Connect:
    """Returns a Connect that opens real sockets."""
    return websocket_connector(
        open_timeout_seconds=options.open_timeout_seconds, ping_interval_seconds=options.ping_interval_seconds
    )
