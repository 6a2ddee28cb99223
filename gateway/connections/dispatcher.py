"""Dispatches the requests of connections, and closes connections whose token expires.

The dispatcher stands between the transports, which call it, and the rest of the gateway. A message passes frame,
dialect, session and batch, and its reply outcome, dialect and frame, without a task, an await or a log line of its own:
so messages and signals are answered by callbacks. Every other request runs as a coroutine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from parley.chat.v1.message_pb2 import SendResult

from chassis.errors import AppError
from chassis.identity import TokenVerifier
from gateway.connections.connection import Connection
from gateway.connections.hub import Hub, TooManyConnectionsError
from gateway.connections.readiness import ReadinessTracker
from gateway.connections.revocation_watcher import close_for
from gateway.metrics import count_failure
from gateway.sessions.background_tasks import BackgroundTasks, app_errors_only
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
from gateway.sessions.user_client import UserClient
from gateway.upstream.clients import Upstreams
from gateway.wire import close_codes
from gateway.wire.timestamps import time_text_of

_RESOLVED_PER_SESSION: Final = 1_000
_EXPIRY_NOTICE_SECONDS: Final = 60.0

Executor = Callable[[Connection, Request, Any], None]
_Waiting = list[tuple[Request, Callable[[str], Command]]]


class RequestDispatcher:
    """Dispatches the requests of all connections of a gateway.

    Args:
        hub: the gateway's connections.
        readiness: announces connections to the services.
        messages: sends messages to chat.
        signals: sends receipts and typing signals to chat.
        tasks: runs all other requests.
        upstreams: the services' stubs.
        verifier: verifies tokens.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        readiness: ReadinessTracker,
        messages: MessageSender,
        signals: SignalSender,
        tasks: BackgroundTasks,
        upstreams: Upstreams,
        verifier: TokenVerifier,
    ) -> None:
        self._hub = hub
        self._readiness = readiness
        self._messages = messages
        self._signals = signals
        self._tasks = tasks
        self._upstreams = upstreams
        self._verifier = verifier
        self._expiries: dict[Connection, asyncio.TimerHandle] = {}
        self._resolving: dict[tuple[Session, tuple[str, str]], _Waiting] = {}
        self._executors: Final[dict[type[Command], Executor]] = {
            SendMessage: self._send_message,
            SendSignal: self._send_signal,
            CallUpstream: self._call_upstream,
            ResolveConversation: self._resolve,
            SetIdle: self._set_idle,
            RefreshSession: self._refresh_session,
        }

    def opened(self, connection: Connection) -> None:
        """Registers a new connection, whose token was verified, and closes it if the token was revoked since."""
        refusal = self._verifier.revocations.refusal(connection.session.identity)
        if refusal is not None:
            connection.end(close_for(self._verifier.revocations, connection.session.identity, refusal))
            return
        try:
            first_of_user = self._hub.add(connection)
        except TooManyConnectionsError:
            connection.close(close_codes.TOO_MANY, "too many connections")
            return
        self._watch_expiry(connection)
        self._readiness.connected(connection.session, first_of_user, partial(self._ready, connection))

    def closed(self, connection: Connection) -> None:
        """Removes a closed connection; does nothing if it was never registered, or is removed already."""
        expiry = self._expiries.pop(connection, None)
        if expiry is None:
            return
        expiry.cancel()
        last_of_user = self._hub.remove(connection)
        self._readiness.disconnected(connection.session, last_of_user)
        connection.session.end_waiting()

    def received(self, connection: Connection, frame: object) -> None:
        """Handles a frame, in the form that the connection's dialect decodes."""
        self._handle(connection, connection.wire_format.dialect.decode(frame, connection.session))

    def unreadable(self, connection: Connection, error: AppError) -> None:
        """Handles a frame without text; `error` says why it has none."""
        self._handle(connection, connection.wire_format.dialect.unreadable(error))

    def _handle(self, connection: Connection, request: Request) -> None:
        effect = connection.session.admit(request)
        if isinstance(effect, Reply):
            count_failure(request.operation, effect.error.reason)
            connection.send_error(request.reference, effect.error)
        elif isinstance(effect, Close):
            connection.end(effect)
        else:
            self._execute(connection, request, request.command)

    def _ready(self, connection: Connection) -> None:
        if connection in self._expiries:
            session = connection.session
            session.become_ready()
            connection.send(connection.wire_format.dialect.session_ready(session, time.time()))

    def _execute(self, connection: Connection, request: Request, command: Command) -> None:
        self._executors[type(command)](connection, request, command)

    # --- messages and signals

    def _send_message(self, connection: Connection, request: Request, command: SendMessage) -> None:
        try:
            self._messages.send(connection.session.actor, command.draft, partial(self._sent, connection, request))
        except AppError as error:
            self._failed(connection, request, error)

    def _sent(self, connection: Connection, request: Request, outcome: SendResult | AppError) -> None:
        if isinstance(outcome, AppError):
            self._failed(connection, request, outcome)
        else:
            connection.session.answered()
            connection.send(connection.wire_format.dialect.sent(request.reference, outcome))

    def _send_signal(self, connection: Connection, request: Request, command: SendSignal) -> None:
        answer = partial(self._signal_sent, connection, request)
        try:
            self._signals.send(connection.session.actor, command.signal, answer)
        except AppError as error:
            self._failed(connection, request, error)

    def _signal_sent(self, connection: Connection, request: Request, error: AppError | None) -> None:
        if error is not None:
            self._failed(connection, request, error)
        else:
            self._done(connection, request, {})

    # --- other requests

    def _set_idle(self, connection: Connection, request: Request, command: SetIdle) -> None:
        self._readiness.report(connection.session, command.idle)
        self._done(connection, request, {})

    def _call_upstream(self, connection: Connection, request: Request, command: CallUpstream) -> None:
        self._tasks.start(self._answer(connection, request, command.run(self._client(connection.session))))

    def _refresh_session(self, connection: Connection, request: Request, command: RefreshSession) -> None:
        self._tasks.start(self._answer(connection, request, self._refresh(connection, command.access_token)))

    async def _answer(self, connection: Connection, request: Request, work: Awaitable[Result]) -> None:
        """Answers a request with the result of `work`, or with its error."""
        try:
            result = await app_errors_only(request.operation, work)
        except AppError as error:
            self._failed(connection, request, error)
        else:
            self._done(connection, request, result)

    async def _refresh(self, connection: Connection, token: str) -> Result:
        identity = await self._verifier.verify(token)
        connection.session.refresh(identity, token)
        if connection in self._expiries:
            self._watch_expiry(connection)
        return {"expireTime": time_text_of(identity.expires_at)}

    def _resolve(self, connection: Connection, request: Request, command: ResolveConversation) -> None:
        session, name = connection.session, command.name
        known = None if command.refresh else session.conversations.get(name)
        waiting = self._resolving.get((session, name))
        if waiting is not None:
            waiting.append((request, command.then))
        elif known is not None:
            self._execute(connection, request, command.then(known))
        else:
            self._resolving[session, name] = [(request, command.then)]
            self._tasks.start(self._find(connection, request.operation, command))

    async def _find(self, connection: Connection, operation: str, command: ResolveConversation) -> None:
        """Finds a conversation's id, and executes the requests that wait for it, in order."""
        session, name = connection.session, command.name
        try:
            conversation_id = await app_errors_only(operation, command.find(self._client(session)))
        except AppError as error:
            for request, _ in self._resolving.pop((session, name)):
                self._failed(connection, request, error)
            return
        session.conversations[name] = conversation_id
        if len(session.conversations) > _RESOLVED_PER_SESSION:
            del session.conversations[next(iter(session.conversations))]
        for request, then in self._resolving.pop((session, name)):
            self._execute(connection, request, then(conversation_id))

    def _client(self, session: Session) -> UserClient:
        return UserClient(self._upstreams, session.identity, session.token)

    # --- replies

    def _done(self, connection: Connection, request: Request, result: Result) -> None:
        connection.session.answered()
        connection.send(connection.wire_format.dialect.done(request.reference, result))

    def _failed(self, connection: Connection, request: Request, error: AppError) -> None:
        connection.session.answered()
        count_failure(request.operation, error.reason)
        connection.send_error(request.reference, error)

    # --- tokens

    def _watch_expiry(self, connection: Connection) -> None:
        """Warns a client before its token expires, and then closes it; replaces the timer of an earlier token."""
        timer = self._expiries.pop(connection, None)
        if timer is not None:
            timer.cancel()
        remaining = max(0.0, connection.session.identity.expires_at - time.time())
        delay = max(remaining - _EXPIRY_NOTICE_SECONDS, remaining / 2)
        loop = asyncio.get_running_loop()
        self._expiries[connection] = loop.call_later(delay, self._warn_of_expiry, connection, remaining - delay)

    def _warn_of_expiry(self, connection: Connection, remaining: float) -> None:
        connection.send(connection.wire_format.dialect.session_expiring(connection.session.identity.expires_at))
        if connection in self._expiries:  # it was not closed for reading too slowly
            loop = asyncio.get_running_loop()
            self._expiries[connection] = loop.call_later(remaining, connection.end, EXPIRED)
