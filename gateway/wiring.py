"""The gateway put together: who knows whom, what runs beside the connections, and in what order it all stops."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from parley.chat.v1 import event_pb2 as chat
from parley.notify.v1 import notification_pb2 as notify
from prometheus_client import REGISTRY

from chassis.channel import fetch_keys
from chassis.identity import TokenVerifier
from chassis.logs import logger
from chassis.supervise import supervised
from gateway.arrivals import Arrivals
from gateway.attendance import Attendance
from gateway.calls import Errands, running_errands
from gateway.departures import Departures
from gateway.desk import Desk
from gateway.dialects.dialect import Front
from gateway.dialects.native import NativeDialect
from gateway.hub import Hub
from gateway.keys import KeyRing
from gateway.metrics import Tally
from gateway.revocations import RevocationWatch
from gateway.sends import Sends
from gateway.session import Session, SessionLimits
from gateway.settings import Settings
from gateway.signals import Signals
from gateway.subscriptions import Subscription
from gateway.transports.connection import Liveness, Outbox, WebSocketConnection
from gateway.transports.frames import text_frame
from gateway.transports.http import serving_http
from gateway.transports.pace import Pace
from gateway.transports.upgrades import Admission, Doorkeeper
from gateway.transports.websocket import serving_websockets
from gateway.upstreams import Upstreams, open_upstreams

_SESSION_ID_BYTES: Final = 12
_KEYS_SECONDS: Final = 3.0

_log = logger("gateway")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the gateway listens."""

    websocket: int
    http: int


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Ports]:
    """Serves browsers while the context is open; yields the ports.

    On leaving: /readyz says no, no more connections are taken, clients are told to go, requests in flight are
    finished, connections are closed, and only then what they stood on.
    """
    stopping = asyncio.Event()
    async with open_upstreams(settings) as upstreams, running_errands() as errands:
        verifier = TokenVerifier(lambda: fetch_keys(upstreams.auth_channel))
        async with (
            serving_http(settings, upstreams, verifier, is_stopping=stopping.is_set) as http,
            _serving_browsers(settings, upstreams, verifier, errands, stopping) as websocket,
        ):
            _log.info("gateway_listening", websocket_port=websocket, http_port=http)
            yield Ports(websocket, http)


@asynccontextmanager
async def _serving_browsers(
    settings: Settings, upstreams: Upstreams, verifier: TokenVerifier, errands: Errands, stopping: asyncio.Event
) -> AsyncIterator[int]:
    tally, keys = Tally(), KeyRing(verifier)
    hub = Hub(settings.connections_per_user)
    departures = Departures(hub)
    sends, signals = Sends(upstreams, settings.queued_items), Signals(upstreams, settings.queued_items)
    chat_events, notify_events, attendance = _streams(settings, upstreams, hub, departures)
    desk = Desk(
        hub=hub,
        arrivals=Arrivals(chat_events, notify_events, attendance),
        sends=sends,
        signals=signals,
        errands=errands,
        upstreams=upstreams,
        verifier=verifier,
    )
    fronts = {dialect.name: Front(dialect, text_frame) for dialect in (NativeDialect(),)}
    pace = Pace(settings.connections_per_second, settings.connections_burst)
    doorkeeper = Doorkeeper(keys.verify, frozenset(settings.allowed_origins), frozenset(fronts), pace.keep)
    connect = _connector(settings, desk, tally, fronts)
    tasks = {
        "messages": sends.run,
        "signals": signals.run,
        "chat": chat_events.run,
        "notify": notify_events.run,
        "presence": attendance.run,
        "revocations": RevocationWatch(upstreams, hub).run,
        "keys": keys.run,
    }
    tally.watch("parley_gateway_connections", lambda: hub.count)
    tally.watch("parley_gateway_messages_waiting", sends.__len__)
    tally.watch("parley_gateway_signals_waiting", signals.__len__)
    tally.watch("parley_gateway_errands", errands.__len__)
    with _exposed(tally):
        async with supervised(tasks):
            try:
                await keys.filled(_KEYS_SECONDS)
                async with serving_websockets(
                    settings.websocket_listen, settings.frame_bytes, doorkeeper, connect
                ) as port:
                    yield port
            finally:
                stopping.set()
                await departures.all(settings.drain_seconds)


def _streams(
    settings: Settings, upstreams: Upstreams, hub: Hub, departures: Departures
) -> tuple[Subscription[Any], Subscription[Any], Attendance]:
    metadata = upstreams.service_tokens.metadata
    chat_events = Subscription(
        "chat",
        upstreams.chat_events.Subscribe,
        chat.SubscribeRequest,
        metadata=metadata,
        deliver=hub.deliver_chat,
        lost=departures.after_loss,
    )
    notify_events = Subscription(
        "notify",
        upstreams.notifications.Subscribe,
        notify.SubscribeRequest,
        metadata=metadata,
        deliver=hub.deliver_notify,
        lost=departures.after_loss,
    )
    attendance = Attendance(
        upstreams.presence.Attach,
        gateway_id=settings.replica,
        metadata=metadata,
        deliver=hub.deliver_presence,
    )
    return chat_events, notify_events, attendance


def _connector(
    settings: Settings, desk: Desk, tally: Tally, fronts: dict[str, Front]
) -> Callable[[Admission], WebSocketConnection]:
    limits = SessionLimits(
        frame_bytes=settings.frame_bytes,
        requests_in_flight=settings.requests_in_flight,
        frames_per_second=settings.frames_per_second,
        messages_per_second=settings.messages_per_second,
    )
    liveness = Liveness(settings.ping_seconds, settings.silence_seconds)
    outbox = Outbox()

    def connect(admission: Admission) -> WebSocketConnection:
        session_id = secrets.token_urlsafe(_SESSION_ID_BYTES)
        return WebSocketConnection(
            session=Session(session_id, admission.identity, admission.token, limits),
            front=fronts[admission.subprotocol],
            desk=desk,
            outbox=outbox,
            tally=tally,
            liveness=liveness,
            unsent_bytes=settings.unsent_bytes,
        )

    return connect


@contextmanager
def _exposed(tally: Tally) -> Iterator[None]:
    REGISTRY.register(tally)
    try:
        yield
    finally:
        REGISTRY.unregister(tally)
