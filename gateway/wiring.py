"""The gateway put together: who knows whom, what runs beside the connections, and in what order it all stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from parley.chat.v1 import event_pb2 as chat
from parley.notify.v1 import notification_pb2 as notify
from prometheus_client import REGISTRY

from chassis.identity import TokenVerifier
from chassis.process.logs import logger
from chassis.process.supervise import supervised
from chassis.rpc.channel import fetch_keys
from chassis.rpc.tls import server_context
from gateway.connections.delivery_queue import DeliveryQueue
from gateway.connections.dispatcher import RequestDispatcher
from gateway.connections.draining import Drainer
from gateway.connections.hub import Hub
from gateway.connections.readiness import ReadinessTracker
from gateway.connections.revocation_watcher import RevocationWatch
from gateway.dialects.base import DialectContext
from gateway.dialects.registry import all_dialects
from gateway.listeners import Listeners, entrances
from gateway.metrics import HotPathCounters
from gateway.sessions.message_sender import MessageSender
from gateway.sessions.signal_sender import SignalSender
from gateway.sessions.user_client import BackgroundTasks, client_for, running_background_tasks
from gateway.settings import Settings
from gateway.transports.http import serving_http
from gateway.transports.websocket.server import serving_websockets, websocket_protocol
from gateway.upstream.clients import Upstreams, open_upstreams
from gateway.upstream.jwks import JwksCache
from gateway.upstream.presence_cache import PresenceCache
from gateway.upstream.presence_stream import PresenceReporter
from gateway.upstream.subscriptions import Subscription
from gateway.upstream.user_cache import UserCache, fetch_users

_KEYS_TIMEOUT_SECONDS: Final = 3.0

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
    async with open_upstreams(settings) as upstreams, running_background_tasks() as tasks:
        verifier = TokenVerifier(lambda: fetch_keys(upstreams.auth_channel))
        people = UserCache(partial(fetch_users, upstreams))
        house = _house(settings, upstreams, verifier, tasks, people)
        async with (
            serving_http(
                settings,
                upstreams,
                verifier,
                people,
                is_stopping=stopping.is_set,
                around=house.entrances.socketio.beside,
                websockets=websocket_protocol(settings.frame_bytes, house.entrances.socketio.admit),
            ) as http,
            _serving_browsers(settings, house, stopping) as websocket,
        ):
            _log.info("gateway_listening", websocket_port=websocket, http_port=http)
            yield Ports(websocket, http)


@dataclass(frozen=True, slots=True)
class _Components:
    """What serves connections, and what runs beside them."""

    entrances: Listeners
    drainer: Drainer
    keys: JwksCache
    counters: HotPathCounters
    tasks: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]


def _house(
    settings: Settings, upstreams: Upstreams, verifier: TokenVerifier, tasks: BackgroundTasks, people: UserCache
) -> _Components:
    counters, keys, presence_cache = HotPathCounters(), JwksCache(verifier), PresenceCache()
    sends, signals = MessageSender(upstreams, settings.queued_items), SignalSender(upstreams, settings.queued_items)
    delivery_queue = DeliveryQueue(
        lambda session, run, answer: tasks.start("event", run(client_for(upstreams, session)), answer)
    )
    hub = Hub(settings.connections_per_user, presence_cache, delivery_queue, signals.confirm)
    drainer = Drainer(hub)
    chat_events, notify_events, presence_reporter = _streams(settings, upstreams, hub, drainer)
    dispatcher = RequestDispatcher(
        hub=hub,
        readiness=ReadinessTracker(chat_events, notify_events, presence_reporter, presence_cache),
        sends=sends,
        signals=signals,
        tasks=tasks,
        upstreams=upstreams,
        verifier=verifier,
    )
    counters.watch("parley_gateway_connections", lambda: hub.count)
    counters.watch("parley_gateway_messages_waiting", sends.__len__)
    counters.watch("parley_gateway_signals_waiting", signals.__len__)
    counters.watch("parley_gateway_requests_in_flight", tasks.__len__)
    return _Components(
        entrances=entrances(settings, all_dialects(DialectContext(people, presence_cache)), dispatcher, keys, counters),
        drainer=drainer,
        keys=keys,
        counters=counters,
        tasks={
            "messages": sends.run,
            "signals": signals.run,
            "chat": chat_events.run,
            "notify": notify_events.run,
            "presence": presence_reporter.run,
            "revocations": RevocationWatch(upstreams, hub).run,
            "keys": keys.run,
        },
    )


@asynccontextmanager
async def _serving_browsers(settings: Settings, house: _Components, stopping: asyncio.Event) -> AsyncIterator[int]:
    ways = house.entrances
    tls = server_context(settings.tls) if settings.tls else None
    with _exposed(house.counters):
        async with supervised(house.tasks), ways.socketio.running(), AsyncExitStack() as stack:
            stack.push_async_callback(house.drainer.drain, settings.drain_seconds)
            stack.callback(stopping.set)
            await house.keys.wait_ready(_KEYS_TIMEOUT_SECONDS)
            if settings.helpdesk_listen:
                await stack.enter_async_context(
                    serving_websockets(settings.helpdesk_listen, settings.frame_bytes, ways.helpdesk)
                )
            yield await stack.enter_async_context(
                serving_websockets(settings.websocket_listen, settings.frame_bytes, ways.websocket, tls)
            )


def _streams(
    settings: Settings, upstreams: Upstreams, hub: Hub, drainer: Drainer
) -> tuple[Subscription[Any], Subscription[Any], PresenceReporter]:
    metadata = upstreams.service_tokens.metadata
    chat_events = Subscription(
        "chat",
        upstreams.chat_events.Subscribe,
        chat.SubscribeRequest,
        metadata=metadata,
        deliver=hub.deliver_chat,
        lost=drainer.reconnect_all,
    )
    notify_events = Subscription(
        "notify",
        upstreams.notifications.Subscribe,
        notify.SubscribeRequest,
        metadata=metadata,
        deliver=hub.deliver_notify,
        lost=drainer.reconnect_all,
    )
    presence_reporter = PresenceReporter(
        upstreams.presence.Attach,
        gateway_id=settings.replica,
        metadata=metadata,
        deliver=hub.deliver_presence,
        mark_synced=hub.presence_complete,
    )
    return chat_events, notify_events, presence_reporter


@contextmanager
def _exposed(counters: HotPathCounters) -> Iterator[None]:
    REGISTRY.register(counters)
    try:
        yield
    finally:
        REGISTRY.unregister(counters)
