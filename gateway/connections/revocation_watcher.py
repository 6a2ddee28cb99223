"""Closes the connections whose tokens are revoked: of ended sessions, disabled accounts and changed roles."""

from __future__ import annotations

from parley.auth.v1.auth_pb2 import WatchRevocationsResponse

from chassis.errors import UnauthenticatedError
from chassis.identity import Identity
from chassis.revocations import RevocationCache
from chassis.rpc.revocation_watcher import RevocationWatcher as AuthRevocationWatcher
from gateway.connections.hub import Hub
from gateway.metrics import STREAMS_UP
from gateway.sessions.session import Close
from gateway.upstream.clients import Upstreams
from gateway.upstream.streams import keep_open
from gateway.wire import close_codes

_REVOKED = Close(close_codes.TOKEN_ENDED, "the token was revoked: refresh it")
_SESSION_ENDED = Close(close_codes.TOKEN_ENDED, "the session was signed out", is_final=True)
_DISABLED = Close(close_codes.ACCOUNT_DISABLED, "the account is disabled", is_final=True)


def close_for(revocations: RevocationCache, identity: Identity, refusal: UnauthenticatedError) -> Close:
    """Returns how a connection closes whose token is refused."""
    if refusal.reason == "ACCOUNT_DISABLED":
        return _DISABLED
    return _SESSION_ENDED if revocations.session_ended(identity) else _REVOKED


class RevocationWatcher:
    """Watches auth's revocations."""

    def __init__(self, upstreams: Upstreams, hub: Hub, revocations: RevocationCache) -> None:
        self._hub = hub
        self._revocations = revocations
        self._watcher = AuthRevocationWatcher(
            upstreams.auth_channel,
            upstreams.service_tokens.metadata,
            revocations,
            on_revoked=self._close_connections,
            on_connected=STREAMS_UP.labels("revocations").set,
        )
        self.wait_ready = self._watcher.wait_ready

    async def run(self) -> None:
        """Watches for ever; to be supervised."""
        await keep_open("revocations", self._watcher.run_stream)

    def _close_connections(self, revocation: WatchRevocationsResponse) -> None:
        for connection in self._hub.of_user(revocation.organization_id, revocation.user_id):
            identity = connection.session.identity
            refusal = self._revocations.refusal(identity)
            if refusal is not None:
                connection.end(close_for(self._revocations, identity, refusal))
