"""Everything that this package raises, as one tree: what a caller may want to tell apart is a class of its own.

No error carries a token, a password or a message's text.
"""

from collections.abc import Mapping

# The canonical gRPC codes after which the same request may succeed later.
RETRYABLE_CODES = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED"})


class ClientError(Exception):
    """The base of all errors of this package."""


class ParleyError(ClientError):
    """Parley answered a request with an error, or did not answer before its deadline."""

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
        """Whether the same request may succeed later."""
        return self.code in RETRYABLE_CODES


class ConnectionLostError(ClientError):
    """The connection ended before the reply came: whether the request took effect is not known."""

    def __init__(self, op: str) -> None:
        super().__init__(f"the connection ended before {op} was answered; it may or may not have taken effect")
        self.op = op


class ClientClosedError(ClientError):
    """The client was closed, or not started, by its own program."""

    def __init__(self, message: str = "the client is closed") -> None:
        super().__init__(message)


class ConnectTimeoutError(ClientError):
    """The client was not ready in time."""

    def __init__(self, timeout_seconds: float, last_error: str) -> None:
        super().__init__(f"not connected within {timeout_seconds:g} s; the last problem was: {last_error}")
        self.last_error = last_error


class ClientFailedError(ClientError):
    """An exception of the program's token callback, or a defect of this package, stopped the client; see its cause."""


class SessionRefusedError(ClientError):
    """The server will not have this client: it stops for good, and reconnecting would not help."""


class UnauthenticatedError(SessionRefusedError):
    """The credentials or tokens are no longer good, and no fresh ones are to be had."""


class AccountDisabledError(SessionRefusedError):
    """The account was disabled (close code 4403)."""


class MalformedFramesError(SessionRefusedError):
    """The server got too many malformed frames (close code 4400): the two sides do not speak the same protocol."""


class UpgradeRefusedError(SessionRefusedError):
    """The server answered the upgrade with a status that repeating will not change."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server refused the WebSocket upgrade with HTTP status {status}")
        self.status = status


class EventsOverflowError(ClientError):
    """An event stream was read too slowly, and ended when its buffer was full; nothing before this was left out."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} events were waiting to be read")
        self.limit = limit


class FrameError(ClientError):
    """A frame or body is not what the protocol says."""
