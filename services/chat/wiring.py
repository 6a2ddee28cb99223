"""Builds the chat service and defines its shutdown."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from parley.chat.v1 import (
    conversation_pb2,
    conversation_pb2_grpc,
    draft_pb2,
    draft_pb2_grpc,
    event_pb2,
    event_pb2_grpc,
    message_pb2,
    schedule_pb2,
    schedule_pb2_grpc,
)
from parley.chat.v1 import message_pb2_grpc as message_grpc

from chassis.events.fanout import FanOut
from chassis.events.log import EventLog
from chassis.identity import TokenVerifier
from chassis.rpc.channel import ServiceTokens, fetch_keys, open_channel
from chassis.rpc.revocation_watcher import RevocationWatcher
from chassis.rpc.server import Registration, Service
from services.chat import bus, convert
from services.chat.committer import Committer
from services.chat.contacts import Contacts
from services.chat.conversation_cache import ConversationCache
from services.chat.conversations import Conversations
from services.chat.draft_store import DraftStore
from services.chat.drafts import Drafts
from services.chat.forwarding import Forwarding
from services.chat.intents import WriteIntents
from services.chat.latest_pages import LatestPages
from services.chat.limits import RateLimit
from services.chat.members import Members
from services.chat.message_changes import MessageChanges
from services.chat.message_servicer import MessageServicer
from services.chat.messages import Messages
from services.chat.page_batches import PageBatches
from services.chat.personal_servicer import DraftServicer, ScheduleServicer
from services.chat.publisher import Publisher
from services.chat.read_marks import ReadMarks
from services.chat.recovery import RecoveryLoop
from services.chat.repeated_requests import RepeatedRequests
from services.chat.schedule import Schedule
from services.chat.schedule_store import ScheduleStore
from services.chat.scheduler import Scheduler
from services.chat.servicer import ConversationServicer, EventServicer
from services.chat.settings import Settings
from services.chat.signals import Signals
from services.chat.store import ChatStore, StoreError, open_client
from services.chat.summaries import Summaries
from services.chat.views import Views


class Stores(NamedTuple):
    """What chat keeps in MongoDB."""

    chat: ChatStore
    drafts: DraftStore
    scheduled: ScheduleStore


def _now_ms() -> int:
    return int(time.time() * 1_000)


@asynccontextmanager
async def wire(settings: Settings) -> AsyncIterator[Service]:
    """Builds the service. On exit, writes the summaries that lag behind and closes the clients."""
    async with (
        bus.open_log(
            settings.redis_url, shards=settings.event_shards, retention_seconds=settings.event_retention_seconds
        ) as log,
        open_client(settings.mongodb_uri) as client,
        open_channel(settings.auth_target, settings.tls) as auth,
    ):
        store = ChatStore(client, settings.mongodb_database)
        await store.prepare()
        verifier = TokenVerifier(lambda: fetch_keys(auth))
        tokens = ServiceTokens(auth, settings.service_name, settings.service_secret.get_secret_value())
        revocations = RevocationWatcher(auth, tokens.metadata, verifier.revocations)
        drafts = DraftStore(client, settings.mongodb_database)
        scheduled = ScheduleStore(client, settings.mongodb_database)
        stores = Stores(store, drafts, scheduled)
        yield await _build(settings, stores, log, Contacts(auth), verifier, revocations=revocations)


async def _build(
    settings: Settings,
    stores: Stores,
    log: EventLog,
    contacts: Contacts,
    verifier: TokenVerifier,
    *,
    revocations: RevocationWatcher,
) -> Service:
    store = stores.chat
    publisher = Publisher(log, store)
    cache = ConversationCache(store, settings.cached_conversations, publisher.mark_dirty)
    intents = WriteIntents(
        store,
        cache,
        replica=settings.replica,
        timeout_seconds=settings.replica_timeout_seconds,
        clock=time.monotonic,
    )
    committer = Committer(
        store=store,
        cache=cache,
        intents=intents,
        publisher=publisher,
        writers=settings.commit_writers,
        capacity=settings.commit_queue,
        now_ms=_now_ms,
    )
    marks = ReadMarks(store=store, cache=cache, publisher=publisher, now_ms=_now_ms)
    summaries = Summaries(store, cache, intents, marks, interval_seconds=settings.summary_interval_seconds)
    recovery = RecoveryLoop(store, cache, intents, timeout_seconds=settings.replica_timeout_seconds)
    signals = Signals(cache=cache, marks=marks, publisher=publisher)
    fanout = FanOut(log, bus.parse, bus.route, observe=lambda event: _observe(cache, event), lost=cache.replay)
    await fanout.start()
    views = Views(store)
    limit = RateLimit(settings.messages_per_second, settings.messages_burst, time.monotonic)
    messages = Messages(committer=committer, store=store, views=views, limit=limit, now_ms=_now_ms)
    changes = MessageChanges(committer=committer, store=store, limit=limit, now_ms=_now_ms)
    forwarding = Forwarding(committer=committer, store=store, views=views, limit=limit)
    repeated_requests = RepeatedRequests(store, views)
    members = Members(
        committer=committer,
        store=store,
        views=views,
        contacts=contacts,
        repeated_requests=repeated_requests,
        now_ms=_now_ms,
    )
    conversations = Conversations(
        committer=committer,
        store=store,
        publisher=publisher,
        views=views,
        contacts=contacts,
        repeated_requests=repeated_requests,
        now_ms=_now_ms,
        new_id=lambda: secrets.token_hex(16),
    )

    drafts = Drafts(drafts=stores.drafts, store=store, views=views, publisher=publisher, limit=limit, now_ms=_now_ms)
    schedule = Schedule(scheduled=stores.scheduled, store=store, views=views, now_ms=_now_ms)
    scheduler = Scheduler(scheduled=stores.scheduled, committer=committer, now_ms=_now_ms)

    async def drain() -> None:
        await fanout.drain()
        await scheduler.close()
        await committer.close()
        await publisher.flushed()
        await summaries.write()
        await publisher.flushed()
        await summaries.write()  # the first call wrote summaries; this one removes the intents of idle conversations
        await intents.release_lease()

    return Service(
        registrations=_registrations(
            ConversationServicer(conversations, members),
            MessageServicer(messages, PageBatches(messages, LatestPages(store)), changes, forwarding, signals),
            EventServicer(fanout),
            DraftServicer(drafts),
            ScheduleServicer(schedule),
        ),
        verifier=verifier,
        tasks={
            **committer.tasks(),
            "publisher": publisher.run,
            "summaries": summaries.run,
            "recovery": recovery.run,
            "signals": signals.run,
            "scheduler": scheduler.run,
            "fanout": fanout.run,
            "revocations": revocations.run,
        },
        outages=(StoreError, bus.BusError),
        prepare=revocations.wait_ready,
        drain=drain,
    )


def _registrations(
    conversations: ConversationServicer,
    messages: MessageServicer,
    events: EventServicer,
    drafts: DraftServicer,
    schedule: ScheduleServicer,
) -> list[Registration]:
    return [
        Registration(
            draft_pb2.DESCRIPTOR.services_by_name["DraftService"],
            draft_pb2_grpc.add_DraftServiceServicer_to_server,
            drafts,
        ),
        Registration(
            schedule_pb2.DESCRIPTOR.services_by_name["ScheduleService"],
            schedule_pb2_grpc.add_ScheduleServiceServicer_to_server,
            schedule,
        ),
        Registration(
            conversation_pb2.DESCRIPTOR.services_by_name["ConversationService"],
            conversation_pb2_grpc.add_ConversationServiceServicer_to_server,
            conversations,
        ),
        Registration(
            message_pb2.DESCRIPTOR.services_by_name["MessageService"],
            message_grpc.add_MessageServiceServicer_to_server,
            messages,
        ),
        Registration(
            event_pb2.DESCRIPTOR.services_by_name["EventService"],
            event_pb2_grpc.add_EventServiceServicer_to_server,
            events,
        ),
    ]


def _observe(cache: ConversationCache, event: event_pb2.Event) -> None:
    """Applies other replicas' changes: the rev of an entry, and mutes and pins, which take no rev."""
    what = event.WhichOneof("payload")
    payload: Any = getattr(event, what) if what else None
    match what:
        case "message_created" | "message_updated" | "message_deleted":
            conversation_id, rev = payload.message.conversation_id, payload.message.rev
        case "member_added" | "member_removed" | "member_updated":
            conversation_id, rev = payload.conversation_id, payload.rev
        case "conversation_updated":
            conversation_id, rev = payload.conversation.conversation_id, payload.conversation.rev
        case _:
            return
    state = cache.peek(conversation_id)
    if state is None:
        return
    state.observe_rev(rev)
    if what == "conversation_updated":
        for view in payload.views:
            if member := state.members.get(view.user_id):
                member.muted_until_ms = convert.milliseconds(view.muted_until_time)
                member.pinned = view.pinned
