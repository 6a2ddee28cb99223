"""Decides when a new connection is ready: once every later event reaches it, so that its client's first catch-up
leaves no gap.

Chat must have acknowledged the user. The gateway also waits for notify and presence, but only for a short time, since
chat works without them. Presence must have sent the organization's complete state too, so that every later change to
online means that a user came online.
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
_OPTIONAL_STEPS: Final = ("notify", "presence", "presence_cache")

Callback = Callable[[], None]


class _Steps:
    """The steps that one session waits for."""

    def __init__(self, ready: Callback) -> None:
        self._missing = {"chat", *_OPTIONAL_STEPS}
        self._ready = ready

    def completes(self, step: str) -> Callback:
        """Returns the callback that completes a step."""

        def complete() -> None:
            if step in self._missing:
                self._missing.remove(step)
                if not self._missing:
                    self._ready()

        return complete

    def skip_optional(self) -> None:
        """Completes all steps but chat's."""
        for step in _OPTIONAL_STEPS:
            self.completes(step)()


class ReadinessTracker:
    """Announces sessions to the services, and reports when they are ready.

    Args:
        chat: the subscription to chat.
        notify: the subscription to notify.
        presence: reports sessions to presence.
        presence_cache: the presence of the organization.
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

    def connected(self, session: Session, first_of_user: bool, ready: Callback) -> None:
        """Announces a session, and calls `ready` once it is ready."""
        user = _user(session)
        if first_of_user:
            self._chat.attach(user)
            self._notify.attach(user)
        self.report(session, idle=False)
        steps = _Steps(ready)
        self._chat.when_attached(user, steps.completes("chat"))
        self._notify.when_attached(user, steps.completes("notify"))
        self._presence.when_reported(session.connection_id, steps.completes("presence"))
        synced = steps.completes("presence_cache")
        self._presence_cache.when_synced(session.identity.organization_id, synced)
        asyncio.get_running_loop().call_later(
            SYNC_TIMEOUT_SECONDS, self._skip_optional, session.identity.organization_id, synced, steps
        )

    def _skip_optional(self, organization_id: str, synced: Callback, steps: _Steps) -> None:
        self._presence_cache.cancel_wait(organization_id, synced)
        steps.skip_optional()

    def report(self, session: Session, idle: bool) -> None:
        """Reports a session to presence."""
        identity = session.identity
        self._presence.report(
            PresenceSession(
                session_id=session.connection_id,
                organization_id=identity.organization_id,
                user_id=identity.user_id,
                role=ROLES.number(identity.role),  # type: ignore[arg-type]  # a number of that enum
                idle=idle,
            )
        )

    def disconnected(self, session: Session, last_of_user: bool) -> None:
        """Withdraws a session."""
        if last_of_user:
            self._chat.detach(_user(session))
            self._notify.detach(_user(session))
        self._presence.close(session.connection_id)


def _user(session: Session) -> User:
    return session.identity.organization_id, session.identity.user_id
