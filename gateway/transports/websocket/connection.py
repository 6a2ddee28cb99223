"""WebSocket connections whose messages are frames of one dialect: authenticated by the upgrade, or by the first
frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chassis.errors import AppError, UnauthenticatedError
from gateway.connections.connection import Connection
from gateway.dialects.base import WireFormat
from gateway.sessions.commands import Reject
from gateway.sessions.session import Session
from gateway.transports.websocket.socket import ConnectionOptions, WebSocketBase
from gateway.wire import close_codes

FIRST_FRAME_TIMEOUT_SECONDS: Final = 10.0
"""How long a client has to send the frame that authenticates it."""


class WebSocketConnection(WebSocketBase, Connection):
    """A connection that its upgrade authenticated.

    Args:
        session: its state.
        wire_format: the dialect and framing that it uses.
        options: the options of all connections.
    """

    def __init__(self, *, session: Session, wire_format: WireFormat, options: ConnectionOptions) -> None:
        super().__init__(options)
        self.session = session
        self.wire_format = wire_format
        self._dispatcher = options.dispatcher

    def opened(self) -> None:
        """Registers the connection."""
        self.start_pings()
        self._dispatcher.opened(self)

    def received(self, text: str) -> None:
        """Dispatches a frame."""
        self._dispatcher.received(self, text)

    def unreadable(self, error: AppError) -> None:
        """Dispatches a frame without text."""
        self._dispatcher.unreadable(self, error)

    def ended(self) -> None:
        """Removes the connection."""
        self._dispatcher.closed(self)


class FirstFrameAuthConnection(WebSocketBase, Connection):
    """A connection that its first frame authenticates; any other frame before that is rejected.

    Args:
        token: the token of the upgrade; empty if the first frame is to carry one.
        token_from: returns the token in the first frame, or "" if it has none. Raises AppError for any other frame.
        new_session: makes the session of a token. Raises AppError.
        wire_format: the dialect and framing that it uses.
        options: the options of all connections.
    """

    def __init__(
        self,
        *,
        token: str,
        token_from: Callable[[str], str],
        new_session: Callable[[str], Session],
        wire_format: WireFormat,
        options: ConnectionOptions,
    ) -> None:
        super().__init__(options)
        self.wire_format = wire_format
        self._token = token
        self._token_from = token_from
        self._new_session = new_session
        self._dispatcher = options.dispatcher
        self._authenticated = False

    def opened(self) -> None:
        """Waits for the first frame."""
        self._set_timer(FIRST_FRAME_TIMEOUT_SECONDS, self._time_out)

    def _time_out(self) -> None:
        self.close(close_codes.TOKEN_ENDED, "nobody joined")

    def received(self, text: str) -> None:
        """Dispatches a frame, once one has authenticated the client."""
        if self._authenticated or self._authenticate(text):
            self._dispatcher.received(self, text)

    def _authenticate(self, text: str) -> bool:
        try:
            session = self._new_session(self._token_from(text) or self._token)
            command = self.wire_format.dialect.decode(text, session).command
            if isinstance(command, Reject):
                raise command.error
        except AppError as error:
            self._reject(error)
            return False
        self.session = session
        self._authenticated = True
        self.start_pings()
        self._dispatcher.opened(self)
        return True

    def _reject(self, error: AppError) -> None:
        self.send_error(None, error)
        if isinstance(error, UnauthenticatedError):
            self.close(close_codes.TOKEN_ENDED, error.message)

    def unreadable(self, error: AppError) -> None:
        """Dispatches a frame without text, or rejects it before authentication."""
        if self._authenticated:
            self._dispatcher.unreadable(self, error)
        else:
            self._reject(error)

    def ended(self) -> None:
        """Removes the connection."""
        if self._authenticated:
            self._dispatcher.closed(self)
