"""When a new connection is ready: once whatever happens from then on reaches it, so that its client's first catching
up leaves no hole.

Chat must have acknowledged its user. Notify and presence are waited for too, but not for long: without them there is
still a chat. Presence must have told who is here as well: who comes from then on is told to the client as one who came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from parley.presence.v1.presence_pb2 import Session as PresenceSession

from gateway.sessions.session import Session
from gateway.upstream.presence_cache import PresenceCache
from gateway.upstream.presence_stream import PresenceReporter
from gateway.upstream.subscriptions import Subscription, User
from gateway.wire.enum_names import ROLES

SYNC_TIMEOUT_SECONDS: Final = 2.0
_NOT_WAITED_FOR_LONG: Final = ("notify", "presence", "roster")

Step = Callable[[], None]


class _Arrival:
    """What one session still waits for."""

    def __init__(self, ready: Step) -> None:
        self._missing = {"chat", *_NOT_WAITED_FOR_LONG}
        self._ready = ready

    def arrived(self, at: str) -> Step:
        """What to call once a service knows of the session."""

        def step() -> None:
            if at in self._missing:
                self._missing.remove(at)
                if not self._missing:
                    self._ready()

        return step

    def go_on_without(self) -> None:
        """Waits for chat alone."""
        for service in _NOT_WAITED_FOR_LONG:
            self.arrived(service)()


class ReadinessTracker:
    """Tells the services who is here, and says when they know.

    Args:
        chat: the subscription to chat.
        notify: the subscription to notify.
        presence: what presence is told.
        presence_cache: what presence has told.
    """

    def __init__(
        self,
        chat: Subscription[object],
        notify: Subscription[object],
        presence: PresenceReporter,
        presence_cache: PresenceCache,
    ) -> None:
        self._chat = chat
        self._notify = notify
        self._presence = presence
        self._presence_cache = presence_cache

    def connected(self, session: Session, first_of_user: bool, ready: Step) -> None:
        """Tells of a session, and calls `ready` once it is."""
        user = _user(session)
        if first_of_user:
            self._chat.attach(user)
            self._notify.attach(user)
        self.report(session, idle=False)
        arrival = _Arrival(ready)
        self._chat.when_attached(user, arrival.arrived("chat"))
        self._notify.when_attached(user, arrival.arrived("notify"))
        self._presence.when_reported(session.session_id, arrival.arrived("presence"))
        everybody_is_known = arrival.arrived("roster")
        self._presence_cache.when_synced(session.identity.organization_id, everybody_is_known)
        asyncio.get_running_loop().call_later(
            SYNC_TIMEOUT_SECONDS, self._go_on_without, session.identity.organization_id, everybody_is_known, arrival
        )

    def _go_on_without(self, organization_id: str, everybody_is_known: Step, arrival: _Arrival) -> None:
        self._presence_cache.cancel_wait(organization_id, everybody_is_known)
        arrival.go_on_without()

    def report(self, session: Session, idle: bool) -> None:
        """Tells presence of a session as it is now."""
        identity = session.identity
        self._presence.report(
            PresenceSession(
                session_id=session.session_id,
                organization_id=identity.organization_id,
                user_id=identity.user_id,
                role=ROLES.number(identity.role),  # type: ignore[arg-type]  # a number of that enum
                idle=idle,
            )
        )

    def disconnected(self, session: Session, last_of_user: bool) -> None:
        """Tells that a session is no more."""
        if last_of_user:
            self._chat.detach(_user(session))
            self._notify.detach(_user(session))
        self._presence.close(session.session_id)


def _user(session: Session) -> User:
    return session.identity.organization_id, session.identity.user_id
