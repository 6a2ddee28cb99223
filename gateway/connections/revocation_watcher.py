"""Closes the connections of revoked sessions and disabled accounts.

Auth does not repeat revocations that happen while the stream is broken. A connection missed that way closes when its
access token expires, within 15 minutes.
"""

from __future__ import annotations

from typing import Any

import grpc
from parley.auth.v1.auth_pb2 import RevocationReason, WatchRevocationsRequest, WatchRevocationsResponse

from gateway.connections.hub import Hub
from gateway.metrics import STREAMS_UP
from gateway.sessions.session import Close
from gateway.upstream.clients import Upstreams
from gateway.upstream.streams import keep_open
from gateway.wire import close_codes

_REVOKED = Close(close_codes.TOKEN_ENDED, "the session was revoked")
_DISABLED = Close(close_codes.ACCOUNT_DISABLED, "the account is disabled")


class RevocationWatcher:
    """Watches auth's revocations."""

    def __init__(self, upstreams: Upstreams, hub: Hub) -> None:
        self._upstreams = upstreams
        self._hub = hub
        self._up = STREAMS_UP.labels("revocations")

    async def run(self) -> None:
        """Watches for ever; to be supervised."""
        await keep_open("revocations", self._run_stream)

    async def _run_stream(self) -> None:
        metadata = await self._upstreams.service_tokens.metadata()
        call = self._upstreams.auth.WatchRevocations(WatchRevocationsRequest(), metadata=metadata)
        try:
            await call.initial_metadata()
            self._up.set(1)
            while True:
                response: Any = await call.read()
                if response is grpc.aio.EOF:
                    return
                self._revoke(response)
        finally:
            self._up.set(0)
            call.cancel()  # gRPC never frees an abandoned call

    def _revoke(self, revocation: WatchRevocationsResponse) -> None:
        disabled = revocation.reason == RevocationReason.REVOCATION_REASON_ACCOUNT_DISABLED
        close = _DISABLED if disabled else _REVOKED
        for connection in self._hub.of_user(revocation.organization_id, revocation.user_id):
            if revocation.session_id in {"", connection.session.identity.session_id}:
                connection.close(*close)
