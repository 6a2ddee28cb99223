"""The composition root of notify: builds its parts, and closes them in reverse order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from parley.notify.v1 import notification_pb2, notification_pb2_grpc

from chassis.events.fanout import FanOut
from chassis.events.log import EventLog
from chassis.identity import TokenVerifier
from chassis.rpc.channel import ServiceTokens, fetch_keys, open_channel
from chassis.rpc.revocation_watcher import RevocationWatcher
from chassis.rpc.server import Registration, Service
from services.notify import bus, publisher
from services.notify.consumer import ChatConsumer
from services.notify.creation import NotificationCreator
from services.notify.directory import Directory
from services.notify.inbox import Inbox
from services.notify.projection import Projection
from services.notify.servicer import NotificationServicer
from services.notify.settings import Settings
from services.notify.store import NotificationStore, open_client


@asynccontextmanager
async def wire(settings: Settings) -> AsyncIterator[Service]:
    """Builds the service, once its stores are reached and migrated."""
    async with (
        open_client(settings.mongodb_uri) as client,
        bus.open_logs(
            settings.redis_url,
            settings.chat_log,
            shards=settings.event_shards,
            retention_seconds=settings.event_retention_seconds,
        ) as (chat_log, own_log),
        open_channel(settings.auth_target, settings.tls) as auth,
    ):
        store = NotificationStore(
            client,
            settings.mongodb_database,
            retention=timedelta(days=settings.retention_days),
            # Twice the retention of chat's event log: an event claimed late may still be in progress.
            replay=timedelta(seconds=2 * settings.event_retention_seconds),
        )
        await store.prepare()
        events = publisher.EventPublisher(own_log)
        fan_out = FanOut(own_log, publisher.parse, publisher.route)
        await fan_out.start()
        tokens = ServiceTokens(auth, settings.service_name, settings.service_secret.get_secret_value())
        servicer = NotificationServicer(
            Inbox(store, events), NotificationCreator(store, Directory(auth, tokens), events), fan_out
        )
        consumer = _consumer(chat_log, Projection(store, events), settings)
        verifier = TokenVerifier(lambda: fetch_keys(auth))
        revocations = RevocationWatcher(auth, tokens.metadata, verifier.revocations)

        async def drain() -> None:
            await fan_out.drain()
            await consumer.drain(settings.drain_seconds)

        yield Service(
            registrations=[
                Registration(
                    notification_pb2.DESCRIPTOR.services_by_name["NotificationService"],
                    notification_pb2_grpc.add_NotificationServiceServicer_to_server,
                    servicer,
                )
            ],
            verifier=verifier,
            tasks={
                "chat_consumer": consumer.run,
                "backlog": consumer.watch_backlog,
                "fan_out": fan_out.run,
                "revocations": revocations.run,
            },
            outages=(bus.BusError,),
            prepare=revocations.wait_ready,
            drain=drain,
        )


def _consumer(chat_log: EventLog, projection: Projection, settings: Settings) -> ChatConsumer:
    return ChatConsumer(
        chat_log,
        projection,
        settings.replica,
        coalesce_seconds=settings.coalesce_ms / 1_000,
        claim_idle_seconds=settings.claim_idle_seconds,
    )
