"""Puts the gateway together: what uses what, what runs in the background, and the order of a shutdown."""

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
from gateway.connections.revocation_watcher import RevocationWatcher
from gateway.dialects.base import DialectContext
from gateway.dialects.registry import all_dialects
from gateway.listeners import Listeners, create_listeners
from gateway.metrics import HotPathCounters
from gateway.sessions.background_tasks import BackgroundTasks, running_background_tasks
from gateway.sessions.message_sender import MessageSender
from gateway.sessions.signal_sender import SignalSender
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
    """The ports that the gateway listens on."""

    websocket: int
    http: int


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Ports]:
    """Serves browsers while the context is open; yields the ports.

    On leaving: /readyz fails, no new connections are accepted, clients are asked to reconnect, requests in flight are
    finished, connections are closed, and last the streams, tasks and channels they used.
    """
    stopping = asyncio.Event()
    async with open_upstreams(settings) as upstreams, running_background_tasks() as tasks:
        verifier = TokenVerifier(lambda: fetch_keys(upstreams.auth_channel))
        user_cache = UserCache(partial(fetch_users, upstreams))
        components = _create_components(settings, upstreams, verifier, tasks, user_cache)
        socketio = components.listeners.socketio
        async with (
            _watching(components.revocations),
            serving_http(
                settings,
                upstreams,
                verifier,
                user_cache,
                is_stopping=stopping.is_set,
                wrap=socketio.wrap,
                websockets=websocket_protocol(settings.frame_bytes, socketio.upgrade),
            ) as http,
            _serving_websockets(settings, components, stopping) as websocket,
        ):
            _log.info("gateway_listening", websocket_port=websocket, http_port=http)
            yield Ports(websocket, http)


@asynccontextmanager
async def _watching(revocations: RevocationWatcher) -> AsyncIterator[None]:
    """Watches revocations before any port is open, so that a restart accepts no revoked token."""
    async with supervised({"revocations": revocations.run}):
        await revocations.wait_ready()
        yield


@dataclass(frozen=True, slots=True)
class _Components:
    """The parts that serve connections, and the background work by name."""

    listeners: Listeners
    drainer: Drainer
    keys: JwksCache
    revocations: RevocationWatcher
    counters: HotPathCounters
    background: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]


def _create_components(
    settings: Settings, upstreams: Upstreams, verifier: TokenVerifier, tasks: BackgroundTasks, user_cache: UserCache
) -> _Components:
    counters, keys, presence_cache = HotPathCounters(), JwksCache(verifier), PresenceCache()
    messages, signals = MessageSender(upstreams, settings.queued_items), SignalSender(upstreams, settings.queued_items)
    delivery_queue = DeliveryQueue(upstreams, tasks)
    hub = Hub(settings.connections_per_user, presence_cache, delivery_queue, signals.confirm_delivery)
    drainer = Drainer(hub)
    revocations = RevocationWatcher(upstreams, hub, verifier.revocations)
    chat_events, notify_events = _subscriptions(upstreams, hub, drainer)
    presence = PresenceReporter(
        upstreams.presence.Attach,
        gateway_id=settings.replica,
        metadata=upstreams.service_tokens.metadata,
        deliver=hub.deliver_presence,
        mark_synced=presence_cache.mark_synced,
    )
    dispatcher = RequestDispatcher(
        hub=hub,
        readiness=ReadinessTracker(chat_events, notify_events, presence, presence_cache),
        messages=messages,
        signals=signals,
        tasks=tasks,
        upstreams=upstreams,
        verifier=verifier,
    )
    counters.add_gauge("parley_gateway_connections", lambda: hub.count)
    counters.add_gauge("parley_gateway_messages_waiting", messages.__len__)
    counters.add_gauge("parley_gateway_signals_waiting", signals.__len__)
    counters.add_gauge("parley_gateway_requests_in_flight", tasks.__len__)
    dialects = all_dialects(DialectContext(user_cache, presence_cache))
    return _Components(
        listeners=create_listeners(settings, dialects, dispatcher, keys, counters),
        drainer=drainer,
        keys=keys,
        revocations=revocations,
        counters=counters,
        background={
            "messages": messages.run,
            "signals": signals.run,
            "chat": chat_events.run,
            "notify": notify_events.run,
            "presence": presence.run,
            "keys": keys.run,
        },
    )


@asynccontextmanager
async def _serving_websockets(
    settings: Settings, components: _Components, stopping: asyncio.Event
) -> AsyncIterator[int]:
    listeners = components.listeners
    tls = server_context(settings.tls) if settings.tls else None
    with _exported(components.counters):
        async with supervised(components.background), listeners.socketio.running(), AsyncExitStack() as stack:
            stack.push_async_callback(components.drainer.drain, settings.drain_seconds)
            stack.callback(stopping.set)
            await components.keys.wait_ready(_KEYS_TIMEOUT_SECONDS)
            if settings.helpdesk_listen:
                await stack.enter_async_context(
                    serving_websockets(settings.helpdesk_listen, settings.frame_bytes, listeners.helpdesk)
                )
            yield await stack.enter_async_context(
                serving_websockets(settings.websocket_listen, settings.frame_bytes, listeners.websocket, tls)
            )


def _subscriptions(upstreams: Upstreams, hub: Hub, drainer: Drainer) -> tuple[Subscription[Any], Subscription[Any]]:
    metadata = upstreams.service_tokens.metadata
    chat_events = Subscription(
        "chat",
        upstreams.chat_events.Subscribe,
        chat.SubscribeRequest,
        metadata=metadata,
        deliver=hub.deliver_chat,
        on_loss=drainer.reconnect_all,
    )
    notify_events = Subscription(
        "notify",
        upstreams.notifications.Subscribe,
        notify.SubscribeRequest,
        metadata=metadata,
        deliver=hub.deliver_notify,
        on_loss=drainer.reconnect_all,
    )
    return chat_events, notify_events


@contextmanager
def _exported(counters: HotPathCounters) -> Iterator[None]:
    REGISTRY.register(counters)
    try:
        yield
    finally:
        REGISTRY.unregister(counters)
