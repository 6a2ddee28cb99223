"""The composition root of presence: builds its parts, and closes them in reverse order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from parley.presence.v1 import presence_pb2, presence_pb2_grpc

from chassis.identity import TokenVerifier
from chassis.rpc.channel import ServiceTokens, fetch_keys, open_channel
from chassis.rpc.revocation_watcher import RevocationWatcher
from chassis.rpc.server import Registration, Service
from services.presence.attachments import Attachments
from services.presence.bus import PresenceBus, open_bus
from services.presence.delivery import Delivery
from services.presence.presences import Presences
from services.presence.publisher import Publisher
from services.presence.servicer import PresenceServicer
from services.presence.sessions import Timeouts
from services.presence.settings import Settings
from services.presence.store import PresenceStore, open_client
from services.presence.sweeper import Sweeper
from services.presence.watches import Watches

_SERVICE = presence_pb2.DESCRIPTOR.services_by_name["PresenceService"]


@asynccontextmanager
async def wire(settings: Settings) -> AsyncIterator[Service]:
    """Builds the service, once its stores are reached and migrated."""
    async with (
        open_bus(
            settings.redis_url,
            shards=settings.event_shards,
            retention_seconds=settings.event_retention_seconds,
            recent_ms=_ms(settings.recent_seconds),
        ) as (bus, log),
        open_client(settings.mongodb_uri) as mongodb,
        open_channel(settings.auth_target, settings.tls) as auth,
    ):
        store = PresenceStore(mongodb, settings.mongodb_database)
        delivery = Delivery(log)
        await store.prepare()
        await bus.ping()
        await delivery.start()
        tokens = ServiceTokens(auth, settings.service_name, settings.service_secret.get_secret_value())
        verifier = TokenVerifier(partial(fetch_keys, auth))
        revocations = RevocationWatcher(auth, tokens.metadata, verifier.revocations)
        yield _service(settings, bus, store, delivery, verifier, revocations=revocations)


def _service(
    settings: Settings,
    bus: PresenceBus,
    store: PresenceStore,
    delivery: Delivery,
    verifier: TokenVerifier,
    *,
    revocations: RevocationWatcher,
) -> Service:
    publisher = Publisher(
        bus,
        store,
        coalesce_seconds=settings.coalesce_seconds,
        sweep_seconds=settings.sweep_seconds,
        takeover_seconds=settings.takeover_seconds,
    )
    timeouts = Timeouts(lease_ms=_ms(settings.lease_seconds), grace_ms=_ms(settings.grace_seconds))
    sweeper = Sweeper(
        bus,
        store,
        publisher,
        timeouts,
        sweep_seconds=settings.sweep_seconds,
        takeover_seconds=settings.takeover_seconds,
    )
    presences = Presences(bus, store, publisher)
    attachments = Attachments(bus, publisher, delivery, timeouts)
    servicer = PresenceServicer(presences, attachments, Watches(presences, delivery))
    return Service(
        registrations=[Registration(_SERVICE, presence_pb2_grpc.add_PresenceServiceServicer_to_server, servicer)],
        verifier=verifier,
        tasks={
            "deliver": delivery.run,
            "publish": publisher.publish,
            "persist_records": publisher.persist_records,
            "sweep": sweeper.run,
            "revocations": revocations.run,
        },
        prepare=revocations.wait_ready,
        drain=delivery.drain,
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1_000)
