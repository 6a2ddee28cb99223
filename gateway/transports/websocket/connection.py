"""WebSockets whose messages are frames of one dialect: those that were let in by their token, and those that say who
they are in their first frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from chassis.errors import AppError, UnauthenticatedError
from gateway.connections.hub import Connection
from gateway.dialects.base import Dialect, WireFormat
from gateway.metrics import HotPathCounters
from gateway.sessions.commands import Reject
from gateway.sessions.session import Session, SessionLimits
from gateway.transports.websocket.socket import Liveness, WebSocketBase, WriteScheduler
from gateway.wire import close_codes

FIRST_FRAME_TIMEOUT_SECONDS: Final = 10.0
"""How long a client has to say who it is."""


class Dispatcher(Protocol):
    """Who looks after connections."""

    def opened(self, connection: Connection) -> None:
        """A connection is open."""

    def received(self, connection: Connection, frame: object) -> None:
        """A frame came that its dialect can decode."""

    def unreadable(self, connection: Connection, error: AppError) -> None:
        """A frame came that has no text."""

    def closed(self, connection: Connection) -> None:
        """A connection is no more; said once or more often."""


class FirstFrameAuthDialect(Dialect, Protocol):
    """A dialect whose clients say who they are in their first frame."""

    def token_from(self, text: str) -> str:
        """The token in a frame that greets; empty where it has none. Raises AppError for any other frame."""


class WebSocketConnection(WebSocketBase):
    """One connection; see `gateway.connections.hub.Connection`.

    Args:
        session: its state.
        wire_format: what it speaks.
        dispatcher: who looks after it.
        write_scheduler: when it writes.
        counters: where its frames are counted.
        liveness: how its silence is dealt with.
        max_send_buffer_bytes: a peer that leaves more than so many unread is given up.
    """

    def __init__(
        self,
        *,
        session: Session,
        wire_format: WireFormat,
        dispatcher: Dispatcher,
        write_scheduler: WriteScheduler,
        counters: HotPathCounters,
        liveness: Liveness,
        max_send_buffer_bytes: int,
    ) -> None:
        super().__init__(
            limits=session.limits,
            write_scheduler=write_scheduler,
            counters=counters,
            max_send_buffer_bytes=max_send_buffer_bytes,
        )
        self.session = session
        self.wire_format = wire_format
        self._dispatcher = dispatcher
        self._liveness = liveness

    def opened(self) -> None:
        """The upgrade is done."""
        self.keep_alive(self._liveness)
        self._dispatcher.opened(self)

    def received(self, text: str) -> None:
        """A frame came."""
        self._dispatcher.received(self, text)

    def unreadable(self, error: AppError) -> None:
        """A frame came that has no text."""
        self._dispatcher.unreadable(self, error)

    def ended(self) -> None:
        """It is no more."""
        self._dispatcher.closed(self)


class FirstFrameAuthConnection(WebSocketBase):
    """One connection that says in its first frame who it is; nothing else is taken before that.

    Args:
        token: what it was let in with; empty when its first frame is to carry one.
        begin: makes the session of a token. Raises AppError.
        limits: what the peer may do.
        dialect, front: what it speaks.
        desk, outbox, tally, liveness, unsent_bytes: as of WebSocketConnection.
    """

    session: Session

    def __init__(
        self,
        *,
        token: str,
        begin: Callable[[str], Session],
        limits: SessionLimits,
        dialect: FirstFrameAuthDialect,
        wire_format: WireFormat,
        dispatcher: Dispatcher,
        write_scheduler: WriteScheduler,
        counters: HotPathCounters,
        liveness: Liveness,
        max_send_buffer_bytes: int,
    ) -> None:
        super().__init__(
            limits=limits,
            write_scheduler=write_scheduler,
            counters=counters,
            max_send_buffer_bytes=max_send_buffer_bytes,
        )
        self.wire_format = wire_format
        self._dialect = dialect
        self._token = token
        self._begin = begin
        self._dispatcher = dispatcher
        self._liveness = liveness
        self._greeted = False

    def opened(self) -> None:
        """The upgrade is done."""
        self._set_timer(FIRST_FRAME_TIMEOUT_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self.close(close_codes.TOKEN_ENDED, "nobody joined")

    def received(self, text: str) -> None:
        """A frame came."""
        if self._greeted or self._greet(text):
            self._dispatcher.received(self, text)

    def _greet(self, text: str) -> bool:
        try:
            session = self._begin(self._dialect.token_from(text) or self._token)
            command = self._dialect.decode(text, session).command
            if isinstance(command, Reject):
                raise command.error
        except AppError as error:
            self._refuse(error)
            return False
        self.session = session
        self._greeted = True
        self.keep_alive(self._liveness)
        self._dispatcher.opened(self)
        return True

    def _refuse(self, error: AppError) -> None:
        self.write(self.wire_format.frames(self._dialect.failed(None, error)))
        if isinstance(error, UnauthenticatedError):
            self.close(close_codes.TOKEN_ENDED, "unauthorized")

    def unreadable(self, error: AppError) -> None:
        """A frame came that has no text."""
        if self._greeted:
            self._dispatcher.unreadable(self, error)
        else:
            self._refuse(error)

    def ended(self) -> None:
        """It is no more."""
        if self._greeted:
            self._dispatcher.closed(self)
