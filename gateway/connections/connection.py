"""The connection as the gateway's core sees it, whatever its transport."""

from __future__ import annotations

from chassis.errors import AppError
from gateway.dialects.base import Payloads, WireFormat
from gateway.sessions.session import Close, Session


class Connection:
    """One open connection. Each transport has a subclass.

    Attributes:
        session: its state.
        wire_format: the dialect and framing that it uses.
    """

    session: Session
    wire_format: WireFormat

    def write(self, data: bytes) -> None:
        """Sends framed data, soon and in order; does nothing for empty data, and once the connection is closing.

        A connection whose client reads too slowly closes itself.
        """
        raise NotImplementedError

    def close(self, code: int, reason: str) -> None:
        """Sends what was written, then closes; does nothing once the connection is closing."""
        raise NotImplementedError

    def end(self, close: Close) -> None:
        """Closes as a session, or the core, decided; see `close`."""
        self.close(close.code, close.reason)

    def send(self, payloads: Payloads) -> None:
        """Sends payloads of the connection's dialect."""
        if payloads:
            self.write(self.wire_format.frames(payloads))

    def send_error(self, reference: object, error: AppError) -> None:
        """Answers a request with an error."""
        self.send(self.wire_format.dialect.failed(reference, error))
