"""The exceptions of this package, as one tree. Cases that callers may tell apart have classes of their own.

No error carries a token, a password or a message's text.
"""

from collections.abc import Mapping

# The canonical gRPC codes after which a retry may succeed.
RETRYABLE_CODES = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED"})


class ClientError(Exception):
    """The base class of this package's errors."""


class ParleyError(ClientError):
    """A request failed: the server answered with an error, or did not answer before the deadline."""

    def __init__(
        self,
        code: str,
        reason: str,
        message: str = "",
        *,
        retry_after_ms: int | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code} ({reason}): {message}" if message else f"{code} ({reason})")
        self.code = code
        self.reason = reason
        self.message = message
        self.retry_after_ms = retry_after_ms
        self.fields = dict(fields or {})

    @property
    def retryable(self) -> bool:
        """Whether a retry of the same request may succeed."""
        return self.code in RETRYABLE_CODES


class ConnectionLostError(ClientError):
    """The connection ended before the reply came. The request may or may not have taken effect."""

    def __init__(self, op: str) -> None:
        super().__init__(f"the connection ended before the reply to {op}; the request may or may not have taken effect")
        self.op = op


class ClientClosedError(ClientError):
    """The program closed the client, or has not started it."""

    def __init__(self, message: str = "the client is closed") -> None:
        super().__init__(message)


class ConnectTimeoutError(ClientError):
    """The client was not ready in time."""

    def __init__(self, timeout_seconds: float, last_error: str) -> None:
        super().__init__(f"not connected within {timeout_seconds:g} s; last error: {last_error}")
        self.last_error = last_error


class ClientFailedError(ClientError):
    """An exception in the program's token callback, or a bug in this package, stopped the client; see `__cause__`."""


class SessionRefusedError(ClientError):
    """The server refuses this client for good; it does not reconnect."""


class UnauthenticatedError(SessionRefusedError):
    """The credentials or tokens are invalid, and the client cannot get new ones."""


class AccountDisabledError(SessionRefusedError):
    """The account was disabled (close code 4403)."""


class MalformedFramesError(SessionRefusedError):
    """The server received too many malformed frames (close code 4400): client and server speak different protocols."""


class UpgradeRefusedError(SessionRefusedError):
    """The server refused the upgrade with an HTTP status that a retry will not change."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server refused the WebSocket upgrade with HTTP status {status}")
        self.status = status


class EventsOverflowError(ClientError):
    """An event stream ended because its reader was too slow and its buffer full. No earlier event was dropped."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} unread events")
        self.limit = limit


class FrameError(ClientError):
    """A frame or body does not follow the protocol."""
