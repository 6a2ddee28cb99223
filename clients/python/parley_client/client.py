"""The client that programs use: wires the parts together and gives them a life."""

import asyncio
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from msgspec import UNSET, UnsetType

from parley_client.apply_response import apply_response
from parley_client.auth_api import AuthApi, Tokens
from parley_client.calls import Calls
from parley_client.catch_up import Synchronizer
from parley_client.connection import ConnectionLoop
from parley_client.errors import (
    ClientClosedError,
    ClientError,
    ClientFailedError,
    ConnectTimeoutError,
    FrameError,
    SessionRefusedError,
)
from parley_client.event_stream import EventHub, EventStream
from parley_client.events import CaughtUp, Event, SessionLost, SessionReady, decode_event
from parley_client.options import Options
from parley_client.protocol import EventFrame, User
from parley_client.replica import Replica
from parley_client.requests import Requests
from parley_client.tokens import (
    AccessToken,
    Credentials,
    ProvidedTokens,
    SessionTokens,
    TokenProvider,
    TokenRenewer,
    TokenSource,
)


class ReadyLatch:
    """Open while the client is ready."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._open = False
        self._error: ClientError | None = None

    @property
    def is_open(self) -> bool:
        """Whether the client is ready now."""
        return self._open

    def open(self) -> None:
        """The client is ready."""
        self._open = True
        self._changed.set()

    def shut(self) -> None:
        """The client is not ready now."""
        self._open = False

    def fail(self, error: ClientError) -> None:
        """The client will not be ready any more."""
        self._open = False
        self._error = error
        self._changed.set()

    async def wait(self) -> None:
        """Waits until the gate is open; raises the error when it has failed."""
        while not self._open:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()


T = TypeVar("T")
E = TypeVar("E", bound=Event)


_logger = logging.getLogger(__name__)
_DEFAULTS = Options()


class Client(Requests):
    """One user's connection to Parley, kept up over reconnects.

    ::

        async with Client.sign_in("http://127.0.0.1:8080", email, password) as client:
            sent = await client.send_message(conversation_id, "Hello")
            async for event in client.events(MessageCreated):
                ...
    """

    def __init__(self, url: str, tokens: TokenSource, options: Options = _DEFAULTS) -> None:
        """A client that is not started yet.

        Args:
            url: the server's public address, http(s)://host[:port].
            tokens: where access tokens come from; the client closes it at the end.
            options: how it behaves.
        """
        self._options = options
        self._tokens = tokens
        self._hub = EventHub(options.event_buffer)
        self._ready_latch = ReadyLatch()
        self._calls = Calls(
            clock=options.clock, backoff=options.retry_backoff, random=options.random, on_reply=self._reply_received
        )
        self._replica: Replica | None = None
        self._synchronizer: Synchronizer | None = None
        if options.track_state:
            self._replica = Replica()
            self._synchronizer = Synchronizer(self._replica, self._calls, options, self._publish)
        self._connection_loop = ConnectionLoop(
            url, tokens, options, calls=self._calls, owner=self, work=self._run_session
        )
        self._token_renewer = TokenRenewer(tokens, options, self._send_token)
        self._task: asyncio.Task[None] | None = None
        self._ready: SessionReady | None = None
        self._missed = 0

    @classmethod
    def sign_in(cls, url: str, email: str, password: str, options: Options = _DEFAULTS) -> Self:
        """A client that signs in with a password, when it is started and whenever its session has been revoked."""
        source = SessionTokens(AuthApi(url), options.clock, credentials=Credentials(email, password))
        return cls(url, source, options)

    @classmethod
    def with_tokens(cls, url: str, tokens: Tokens, options: Options = _DEFAULTS) -> Self:
        """A client with tokens that are at hand; without a refresh token it stops when the access token expires."""
        return cls(url, SessionTokens(AuthApi(url), options.clock, tokens=tokens), options)

    @classmethod
    def with_token_provider(cls, url: str, provider: TokenProvider, options: Options = _DEFAULTS) -> Self:
        """A client that asks the program for a token, now and whenever it needs a fresh one."""
        return cls(url, ProvidedTokens(provider, options.clock), options)

    # Life.

    async def start(self) -> None:
        """Begins to connect; see `ready`."""
        if self._task is not None:
            raise ClientClosedError("the client was started before")
        self._task = asyncio.create_task(self._run(), name="parley-client")

    async def ready(self, timeout_seconds: float | None = None) -> None:
        """Waits until the client is connected, and has caught up if it tracks state.

        Raises:
            ConnectTimeoutError: it was not in time; the client goes on trying.
            ClientError: the client was closed, or stopped for good.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._ready_latch.wait()
        except TimeoutError:
            raise ConnectTimeoutError(timeout_seconds or 0.0, self._connection_loop.last_error) from None

    async def close(self) -> None:
        """Ends the connection; requests that wait fail with ClientClosedError."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])

    async def __aenter__(self) -> Self:
        await self.start()
        try:
            await self.ready(self._options.connect_timeout_seconds)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # What a program asks and reads.

    @property
    def connected(self) -> bool:
        """Whether the client is ready now."""
        return self._ready_latch.is_open

    @property
    def user(self) -> User:
        """The user, as of the latest connection."""
        return self._session.user

    @property
    def session_id(self) -> str:
        """The server's name for the latest connection."""
        return self._session.session_id

    @property
    def replica(self) -> Replica:
        """What is known of the user's conversations."""
        if self._replica is None:
            raise RuntimeError("this client does not track state")
        return self._replica

    @overload
    def events(self) -> EventStream[Event]: ...
    @overload
    def events(self, *kinds: type[E]) -> EventStream[E]: ...
    def events(self, *kinds: type[Event]) -> EventStream[Any]:
        """The events from now on, of some kinds or of all; any number of streams may be open, each gets them all.

        An iterator, and a context manager that closes it. See EventStream for its buffer.
        """
        return self._hub.open(kinds)

    async def call(
        self, op: str, body: Mapping[str, object], shape: type[T], *, deadline_seconds: float | UnsetType | None = UNSET
    ) -> T:
        """Makes a request and returns its answer in the shape asked for.

        Args:
            op: the request's name.
            body: its body, with the names of the wire.
            shape: a type that msgspec can decode the answer into.
            deadline_seconds: for all of it, reconnects and retries included; that of the options when not given, and
                None for none.

        Raises:
            ParleyError: the server's answer; DEADLINE_EXCEEDED (CLIENT_DEADLINE) when there was none in time.
            ConnectionLostError: the connection ended meanwhile, and repeating might do harm (`operations`).
            ClientError: the client was closed, or stopped for good.
        """
        if isinstance(deadline_seconds, UnsetType):
            deadline_seconds = self._options.request_deadline_seconds
        return await self._calls.call(op, body, shape, deadline_seconds=deadline_seconds)

    async def request(
        self, op: str, body: Mapping[str, object] | None = None, *, deadline_seconds: float | UnsetType | None = UNSET
    ) -> dict[str, object]:
        """Makes any request, and returns its answer as it is on the wire."""
        return await self.call(op, body or {}, dict[str, object], deadline_seconds=deadline_seconds)

    async def resync(self) -> None:
        """Compares everything with the server, as a client that starts afresh would; what differs comes as events."""
        await self._require_synchronizer().catch_up(full=True)

    async def load_history(self, conversation_id: str) -> None:
        """Fetches all messages of a conversation into the replica, also those from before the client began."""
        await self.ready()
        await self._require_synchronizer().load_history(conversation_id)

    def new_message_id(self) -> str:
        """A clientMessageId that was never used."""
        return self._options.new_message_id()

    # What the link tells (see connection.Owner).

    def session_ready(self, ready: SessionReady) -> None:
        """A session began."""
        self._ready = ready
        self._missed = 0
        self._calls.frame_limit_bytes = ready.limits.frame_bytes
        if self._replica is not None and self._synchronizer is not None:
            self._replica.set_user(ready.user.user_id)
            self._synchronizer.session_ready(ready)
        self._hub.publish(ready)

    def event_received(self, frame: EventFrame) -> None:
        """The session brought an event."""
        if self._replica is None and not self._hub.has_readers:
            return
        try:
            event = decode_event(frame)
        except FrameError:
            # When it had a rev, its absence shows as a gap, and a sync makes up for it.
            _logger.warning("event_not_understood", extra={"event_name": frame.name})
            return
        self._publish([event] if self._replica is None else self._replica.apply(event).events)

    def session_lost(self, code: int) -> None:
        """The session ended."""
        self._ready_latch.shut()
        if self._synchronizer is not None:
            self._synchronizer.session_lost(code)
        self._hub.publish(SessionLost(code=code))

    def _reply_received(self, op: str, body: Mapping[str, object], reply: object) -> None:
        if self._replica is not None and self._ready is not None:
            self._publish(apply_response(self._replica, self._ready.user.user_id, op, body, reply))

    def _publish(self, events: list[Event]) -> None:
        for event in events:
            self._missed += event.replayed
            self._hub.publish(event)
        if self._replica is not None and self._synchronizer is not None and self._replica.out_of_sync:
            self._synchronizer.request_sync()

    async def _run_session(self) -> None:
        """What is to be done while a session lasts."""
        if self._synchronizer is not None:
            await self._synchronizer.catch_up()
        self._hub.publish(CaughtUp(missed=self._missed))
        self._ready_latch.open()
        if self._synchronizer is not None:
            await self._synchronizer.watch_gaps()

    async def _run(self) -> None:
        end: ClientError = ClientClosedError()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._connection_loop.run())
                group.create_task(self._renew_tokens())
        except* SessionRefusedError as refusals:
            end = next(error for error in refusals.exceptions if isinstance(error, SessionRefusedError))
        except* Exception as failures:
            _logger.exception("client_failed")
            end = ClientFailedError("the client stopped; see its cause")
            end.__cause__ = failures.exceptions[0]
        finally:
            self._ready_latch.fail(end)
            self._calls.stop(end)
            self._hub.end(end)
            await self._tokens.close()

    async def _renew_tokens(self) -> None:
        await self._ready_latch.wait()
        await self._token_renewer.run(await self._tokens.current())

    async def _send_token(self, token: AccessToken) -> None:
        if self.connected:
            await self.refresh_session(token.value)

    def _require_synchronizer(self) -> Synchronizer:
        if self._synchronizer is None:
            raise RuntimeError("this client does not track state")
        return self._synchronizer

    @property
    def _session(self) -> SessionReady:
        if self._ready is None:
            raise ClientClosedError("the client was never connected")
        return self._ready
