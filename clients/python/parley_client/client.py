"""The client that programs use: wires the parts together, and starts and stops them."""

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
from parley_client.connection import ConnectionHandlers, ConnectionLoop
from parley_client.contract import User
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
from parley_client.protocol import EventFrame
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

T = TypeVar("T")
E = TypeVar("E", bound=Event)
_logger = logging.getLogger(__name__)
_DEFAULTS = Options()


class ReadyLatch:
    """Open while the client is ready. `wait` raises once the client has failed."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._open = False
        self._error: ClientError | None = None

    @property
    def is_open(self) -> bool:
        """Whether the client is ready now."""
        return self._open

    def open(self) -> None:
        """Marks the client ready."""
        self._open = True
        self._changed.set()

    def shut(self) -> None:
        """Marks the client not ready."""
        self._open = False

    def fail(self, error: ClientError) -> None:
        """Marks the client failed for good."""
        self._open = False
        self._error = error
        self._changed.set()

    async def wait(self) -> None:
        """Waits until the latch is open; raises the error if it has failed."""
        while not self._open:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()


class Client(Requests):
    """One user's connection to Parley, which reconnects by itself.

    ::

        async with Client.sign_in("http://127.0.0.1:8080", email, password) as client:
            sent = await client.send_message(conversation_id, "Hello")
            async for event in client.events(MessageCreated):
                ...
    """

    def __init__(self, url: str, tokens: TokenSource, options: Options = _DEFAULTS) -> None:
        """Creates a client without starting it.

        Args:
            url: the server's public address, http(s)://host[:port].
            tokens: the source of access tokens; the client closes it at the end.
            options: the client's settings.
        """
        self._options = options
        self._tokens = tokens
        self._hub = EventHub(options.event_buffer)
        self._ready_latch = ReadyLatch()
        self._calls = Calls(options, self._on_reply)
        self._replica: Replica | None = None
        self._synchronizer: Synchronizer | None = None
        if options.track_state:
            self._replica = Replica()
            self._synchronizer = Synchronizer(self._replica, self._calls, options, self._publish)
        handlers = ConnectionHandlers(self._on_ready, self._on_event, self._on_lost, self._while_open)
        self._connection_loop = ConnectionLoop(url, tokens, options, calls=self._calls, handlers=handlers)
        self._token_renewer = TokenRenewer(tokens, options, self._send_token)
        self._task: asyncio.Task[None] | None = None
        self._ready: SessionReady | None = None
        self._replayed_count = 0

    @classmethod
    def sign_in(cls, url: str, email: str, password: str, options: Options = _DEFAULTS) -> Self:
        """Returns a client that signs in with a password at the start, and again after its session was revoked."""
        source = SessionTokens(AuthApi(url), options.clock, credentials=Credentials(email, password))
        return cls(url, source, options)

    @classmethod
    def with_tokens(cls, url: str, tokens: Tokens, options: Options = _DEFAULTS) -> Self:
        """Returns a client that uses existing tokens; without a refresh token it stops when the other expires."""
        return cls(url, SessionTokens(AuthApi(url), options.clock, tokens=tokens), options)

    @classmethod
    def with_token_provider(cls, url: str, provider: TokenProvider, options: Options = _DEFAULTS) -> Self:
        """Returns a client that calls `provider` at the start and whenever it needs a fresh token."""
        return cls(url, ProvidedTokens(provider, options.clock), options)

    # Lifecycle.

    async def start(self) -> None:
        """Starts to connect; see `ready`."""
        if self._task is not None:
            raise ClientClosedError("the client was started before")
        self._task = asyncio.create_task(self._run(), name="parley-client")

    async def ready(self, timeout_seconds: float | None = None) -> None:
        """Waits until the client is connected and, if it tracks state, has caught up.

        Raises:
            ConnectTimeoutError: the client was not ready in time; it keeps trying.
            ClientError: the client was closed or has stopped for good.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._ready_latch.wait()
        except TimeoutError:
            raise ConnectTimeoutError(timeout_seconds or 0.0, self._connection_loop.last_error) from None

    async def close(self) -> None:
        """Closes the connection; waiting requests fail with ClientClosedError."""
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

    # State and events.

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
        """The server's id of the latest connection."""
        return self._session.session_id

    @property
    def replica(self) -> Replica:
        """The local state of the user's conversations."""
        if self._replica is None:
            raise RuntimeError("this client does not track state")
        return self._replica

    @overload
    def events(self) -> EventStream[Event]: ...
    @overload
    def events(self, *kinds: type[E]) -> EventStream[E]: ...
    def events(self, *kinds: type[Event]) -> EventStream[Any]:
        """Opens a stream of the events from now on, of some types or of all.

        Any number of streams may be open; each gets all events. A stream is an async iterator, and a context manager
        that closes it. See EventStream for its buffer.
        """
        return self._hub.open(kinds)

    # Requests.

    async def call(
        self,
        op: str,
        body: Mapping[str, object],
        shape: type[T],
        *,
        repeatable: bool | None = None,
        deadline_seconds: float | UnsetType | None = UNSET,
    ) -> T:
        """Makes a request and returns its answer as `shape`.

        A request that changes something gets a `requestId` (UUID) unless the body has one. A repeatable request is sent
        again, with the same body, after each reconnect and each retryable error, until its deadline.

        Args:
            op: the request's name.
            body: its body, with the names of the wire.
            shape: a type that msgspec can decode the answer into.
            repeatable: whether the client may send the request again without knowing whether it took effect; None
                leaves that to the table in `operations`.
            deadline_seconds: for the whole call, reconnects and retries included; the options' deadline if not given,
                None for no deadline.

        Raises:
            ParleyError: the server's answer; DEADLINE_EXCEEDED (CLIENT_DEADLINE) if none came in time.
            ConnectionLostError: the connection ended first, and the request is not repeatable.
            ClientError: the client was closed or has stopped for good.
        """
        if isinstance(deadline_seconds, UnsetType):
            deadline_seconds = self._options.request_deadline_seconds
        return await self._calls.call(op, body, shape, repeatable=repeatable, deadline_seconds=deadline_seconds)

    async def request(
        self,
        op: str,
        body: Mapping[str, object] | None = None,
        *,
        repeatable: bool | None = None,
        deadline_seconds: float | UnsetType | None = UNSET,
    ) -> dict[str, object]:
        """Makes any request and returns its answer as it is on the wire; see `call`."""
        shape = dict[str, object]
        return await self.call(op, body or {}, shape, repeatable=repeatable, deadline_seconds=deadline_seconds)

    async def resync(self) -> None:
        """Compares the whole replica with the server, and publishes the differences as events."""
        await self._require_synchronizer().catch_up(full=True)

    async def load_history(self, conversation_id: str) -> None:
        """Fetches all messages of a conversation into the replica, including those from before the client started."""
        await self.ready()
        await self._require_synchronizer().load_history(conversation_id)

    def new_message_id(self) -> str:
        """Returns a unique clientMessageId."""
        return self._options.new_message_id()

    # Callbacks of the connection loop and of calls.

    def _on_ready(self, ready: SessionReady) -> None:
        self._ready = ready
        self._replayed_count = 0
        self._calls.frame_limit_bytes = ready.limits.frame_bytes
        if self._replica is not None and self._synchronizer is not None:
            self._replica.set_user(ready.user.user_id)
            self._synchronizer.session_ready(ready)
        self._hub.publish(ready)

    def _on_event(self, frame: EventFrame) -> None:
        if self._replica is None and not self._hub.has_readers:
            return
        try:
            event = decode_event(frame)
        except FrameError:
            # If it had a rev, its absence shows as a gap, which a sync fills.
            _logger.warning("event_not_understood", extra={"event_name": frame.name})
            return
        self._publish([event] if self._replica is None else self._replica.apply(event).events)

    def _on_lost(self, code: int) -> None:
        self._ready_latch.shut()
        if self._synchronizer is not None:
            self._synchronizer.session_lost(code)
        self._hub.publish(SessionLost(code=code))

    def _on_reply(self, op: str, body: Mapping[str, object], reply: object) -> None:
        if self._replica is not None and self._ready is not None:
            self._publish(apply_response(self._replica, self._ready.user.user_id, op, body, reply))

    async def _while_open(self) -> None:
        """Catches up, then fills gaps until the connection ends."""
        if self._synchronizer is not None:
            await self._synchronizer.catch_up()
        self._hub.publish(CaughtUp(missed=self._replayed_count))
        self._ready_latch.open()
        if self._synchronizer is not None:
            await self._synchronizer.watch_gaps()

    def _publish(self, events: list[Event]) -> None:
        for event in events:
            self._replayed_count += event.replayed
            self._hub.publish(event)
        if self._replica is not None and self._synchronizer is not None and self._replica.out_of_sync:
            self._synchronizer.request_sync()

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
            end = ClientFailedError("the client stopped after an unexpected error; see __cause__")
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
            await self.session_refresh(access_token=token.value)

    def _require_synchronizer(self) -> Synchronizer:
        if self._synchronizer is None:
            raise RuntimeError("this client does not track state")
        return self._synchronizer

    @property
    def _session(self) -> SessionReady:
        if self._ready is None:
            raise ClientClosedError("the client has never connected")
        return self._ready
