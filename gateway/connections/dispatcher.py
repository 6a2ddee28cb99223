"""Where connections are looked after: what comes from them is decoded, admitted and carried out, and answered.

The desk stands between transports, which call it, and everything behind them. It keeps the order of things on the
way of a message: frame, dialect, session, batch; and back: outcome, dialect, frame. On that way there is no task,
no await and no log line for a single message.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from parley.chat.v1.message_pb2 import SendResult

from chassis.errors import AppError
from chassis.identity import Identity, TokenVerifier
from gateway.connections.hub import Connection, Hub, TooManyConnectionsError, send, send_error
from gateway.connections.readiness import ReadinessTracker
from gateway.metrics import count_failure
from gateway.sessions.commands import (
    CallUpstream,
    Command,
    RefreshSession,
    Request,
    ResolveConversation,
    Result,
    SendMessage,
    SendSignal,
    SetIdle,
)
from gateway.sessions.message_sender import MessageSender
from gateway.sessions.session import EXPIRED, Close, Reply, Session
from gateway.sessions.signal_sender import SignalSender
from gateway.sessions.user_client import BackgroundTasks, client_for
from gateway.upstream.clients import Upstreams
from gateway.wire import close_codes
from gateway.wire.timestamps import time_text_of

_RESOLVED_PER_SESSION: Final = 1_000

Carrier = Callable[[Connection, Request, Any], None]


class RequestDispatcher:
    """Looks after the connections of a gateway.

    Args:
        hub: where connections are known.
        readiness: who tells the services of them.
        sends: where messages go.
        signals: where receipts and typing go.
        tasks: where everything else is done.
        upstreams: the services.
        verifier: verifies tokens.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        readiness: ReadinessTracker,
        sends: MessageSender,
        signals: SignalSender,
        tasks: BackgroundTasks,
        upstreams: Upstreams,
        verifier: TokenVerifier,
    ) -> None:
        self._hub = hub
        self._readiness = readiness
        self._sends = sends
        self._signals = signals
        self._tasks = tasks
        self._upstreams = upstreams
        self._verifier = verifier
        self._expiries: dict[Connection, asyncio.TimerHandle] = {}
        self._resolving: dict[tuple[Session, tuple[str, str]], list[tuple[Request, Callable[[str], Command]]]] = {}
        self._carriers: Final[dict[type[Command], Carrier]] = {
            SendMessage: self._send_message,
            SendSignal: self._send_signal,
            CallUpstream: self._perform,
            ResolveConversation: self._resolve,
            SetIdle: self._set_idle,
            RefreshSession: self._refresh_session,
        }

    def opened(self, connection: Connection) -> None:
        """A connection was opened by a client whose token was verified."""
        try:
            first_of_user = self._hub.add(connection)
        except TooManyConnectionsError:
            connection.close(close_codes.TOO_MANY, "too many connections")
            return
        self._watch_expiry(connection)
        self._readiness.connected(connection.session, first_of_user, partial(self._ready, connection))

    def closed(self, connection: Connection) -> None:
        """A connection is no more, or was never let in."""
        expiry = self._expiries.pop(connection, None)
        if expiry is None:
            return
        expiry.cancel()
        last_of_user = self._hub.remove(connection)
        self._readiness.disconnected(connection.session, last_of_user)
        connection.session.end_waiting()

    def received(self, connection: Connection, frame: object) -> None:
        """A frame came that can be decoded."""
        self._handle(connection, connection.wire_format.dialect.decode(frame, connection.session))

    def unreadable(self, connection: Connection, error: AppError) -> None:
        """A frame came of which there is no text."""
        self._handle(connection, connection.wire_format.dialect.unreadable(error))

    def _handle(self, connection: Connection, request: Request) -> None:
        effect = connection.session.admit(request)
        if isinstance(effect, Reply):
            count_failure(request.operation, effect.error.reason)
            send_error(connection, request.reference, effect.error)
        elif isinstance(effect, Close):
            connection.close(*effect)
        else:
            self._go_on(connection, request, request.command)

    def _ready(self, connection: Connection) -> None:
        if connection in self._expiries:
            session = connection.session
            session.become_ready()
            send(connection, connection.wire_format.dialect.session_ready(session, time.time()))

    # --- what requests ask for

    def _send_message(self, connection: Connection, request: Request, command: SendMessage) -> None:
        try:
            self._sends.send(connection.session.actor, command.draft, partial(self._sent, connection, request))
        except AppError as error:
            self._failed(connection, request, error)

    def _sent(self, connection: Connection, request: Request, outcome: SendResult | AppError) -> None:
        if isinstance(outcome, AppError):
            self._failed(connection, request, outcome)
        else:
            connection.session.answered()
            send(connection, connection.wire_format.dialect.sent(request.reference, outcome))

    def _send_signal(self, connection: Connection, request: Request, command: SendSignal) -> None:
        try:
            self._signals.send(connection.session.actor, command.signal, partial(self._signalled, connection, request))
        except AppError as error:
            self._failed(connection, request, error)

    def _signalled(self, connection: Connection, request: Request, refusal: AppError | None) -> None:
        self._done(connection, request, {} if refusal is None else refusal)

    def _perform(self, connection: Connection, request: Request, command: CallUpstream) -> None:
        calls = client_for(self._upstreams, connection.session)
        self._tasks.start(request.operation, command.run(calls), partial(self._done, connection, request))

    def _resolve(self, connection: Connection, request: Request, command: ResolveConversation) -> None:
        session = connection.session
        known = None if command.anew else session.conversations.get(command.name)
        waiting = self._resolving.get((session, command.name))
        if waiting is not None:
            waiting.append((request, command.then))
        elif known is not None:
            self._go_on(connection, request, command.then(known))
        else:
            self._resolving[session, command.name] = [(request, command.then)]
            found = partial(self._resolved, connection, command.name)
            self._tasks.start(request.operation, command.find(client_for(self._upstreams, session)), found)

    def _resolved(self, connection: Connection, name: tuple[str, str], outcome: str | AppError) -> None:
        session = connection.session
        waiting = self._resolving.pop((session, name))
        if not isinstance(outcome, AppError):
            session.conversations[name] = outcome
            if len(session.conversations) > _RESOLVED_PER_SESSION:
                del session.conversations[next(iter(session.conversations))]
        for request, then in waiting:
            if isinstance(outcome, AppError):
                self._failed(connection, request, outcome)
            else:
                self._go_on(connection, request, then(outcome))

    def _go_on(self, connection: Connection, request: Request, command: Command) -> None:
        self._carriers[type(command)](connection, request, command)

    def _set_idle(self, connection: Connection, request: Request, command: SetIdle) -> None:
        self._readiness.report(connection.session, command.idle)
        self._done(connection, request, {})

    def _refresh_session(self, connection: Connection, request: Request, command: RefreshSession) -> None:
        token = command.access_token
        self._tasks.start(
            request.operation, self._verifier.verify(token), partial(self._refreshed, connection, request, token)
        )

    def _refreshed(self, connection: Connection, request: Request, token: str, outcome: Identity | AppError) -> None:
        if not isinstance(outcome, AppError):
            try:
                connection.session.refresh(outcome, token)
            except AppError as error:
                outcome = error
        if isinstance(outcome, AppError):
            self._failed(connection, request, outcome)
            return
        if connection in self._expiries:
            self._watch_expiry(connection)
        self._done(connection, request, {"expireTime": time_text_of(outcome.expires_at)})

    def _done(self, connection: Connection, request: Request, outcome: Result | AppError) -> None:
        if isinstance(outcome, AppError):
            self._failed(connection, request, outcome)
        else:
            connection.session.answered()
            send(connection, connection.wire_format.dialect.done(request.reference, outcome))

    def _failed(self, connection: Connection, request: Request, error: AppError) -> None:
        connection.session.answered()
        count_failure(request.operation, error.reason)
        send_error(connection, request.reference, error)

    # --- tokens

    def _watch_expiry(self, connection: Connection) -> None:
        """Closes a connection when its token expires, unless a newer one came; watches anew after one did."""
        present = self._expiries.pop(connection, None)
        if present is not None:
            present.cancel()
        remaining = max(0.0, connection.session.identity.expires_at - time.time())
        loop = asyncio.get_running_loop()
        self._expiries[connection] = loop.call_later(remaining, connection.close, *EXPIRED)
