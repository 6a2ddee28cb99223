"""Signing in, refreshing and exchanging tokens over HTTP. The only module that uses httpx."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from parley_client.contract import User
from parley_client.errors import FrameError, ParleyError
from parley_client.protocol import WireObject, decode_body, decode_error_body


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a session; `expires_in` is in seconds."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: float | None = None


_TIMEOUT_SECONDS = 10.0
# The codes of statuses whose body has no error, such as a proxy's own responses.
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class TokenResponse(WireObject, frozen=True, kw_only=True):
    """The response to signing in, refreshing and exchanging; `expires_in` is in seconds."""

    access_token: str
    refresh_token: str | None = None
    expires_in: float | None = None
    user: User | None = None

    @property
    def tokens(self) -> Tokens:
        """The tokens."""
        return Tokens(self.access_token, self.refresh_token, self.expires_in)


class AuthApi:
    """The `/api/auth` paths of the HTTP API (docs/protocol.md).

    Every failure is a ParleyError; UNAVAILABLE (UNREACHABLE) if there was no response.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._http: httpx.AsyncClient | None = None

    async def sign_in(self, email: str, password: str) -> TokenResponse:
        """Exchanges an e-mail address and a password for tokens."""
        return await self._post("/api/auth/login", {"email": email, "password": password})

    async def refresh(self, refresh_token: str) -> TokenResponse:
        """Exchanges a refresh token, which is valid once, for a new pair."""
        return await self._post("/api/auth/refresh", {"refreshToken": refresh_token})

    async def exchange(self, token: str) -> TokenResponse:
        """Exchanges a token that the CRM signed for Parley's tokens."""
        return await self._post("/api/auth/exchange", {"token": token})

    async def close(self) -> None:
        """Closes the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def _post(self, path: str, body: dict[str, str]) -> TokenResponse:
        if self._http is None:
            # Created on first use: loading certificates takes longer than creating the rest of a client.
            self._http = httpx.AsyncClient(base_url=self._url, timeout=_TIMEOUT_SECONDS)
        try:
            response = await self._http.post(path, json=body)
        except httpx.TransportError as error:
            raise ParleyError("UNAVAILABLE", "UNREACHABLE", type(error).__name__) from error
        if not response.is_success:
            raise error_from(response)
        try:
            return decode_body(response.content, TokenResponse)
        except FrameError as error:
            raise ParleyError("INTERNAL", "UNEXPECTED_ANSWER", f"the response of {path} holds no tokens") from error


def error_from(response: httpx.Response) -> ParleyError:
    """Returns the error of a response: the one in its body, or else one for its status."""
    error = decode_error_body(response.content)
    if error is None:
        error = ParleyError(_CODES.get(response.status_code, "UNKNOWN"), f"HTTP_{response.status_code}")
    if error.retry_after_ms is None:
        error.retry_after_ms = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
    return error


def parse_retry_after(value: str | None, now: datetime) -> int | None:
    """Returns the delay in milliseconds of a `Retry-After` header, in either of its forms (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return int(value) * 1000
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0, int((until - now).total_seconds() * 1000))
