"""Builds the auth service; the only place that opens clients."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from typing import NamedTuple

import httpx
from parley.auth.v1 import auth_pb2, auth_pb2_grpc, directory_pb2, directory_pb2_grpc

from chassis.identity import TokenVerifier
from chassis.rate_limit import Rate
from chassis.revocations import RevocationCache
from chassis.rpc.server import Registration, Service
from services.auth.bus import Bus, open_bus
from services.auth.callers import Callers
from services.auth.clock import Clock, clock
from services.auth.directory import Directory
from services.auth.exchange import Exchange
from services.auth.issuer_tokens import IssuerTokens
from services.auth.key_sets import KeySets, open_client
from services.auth.key_store import KeyStore
from services.auth.keys import KeyRing, KeySchedule
from services.auth.limits import FallbackLimiter, Limiter, LocalLimiter, ServiceTokenLimits, SignInLimits
from services.auth.organization_store import OrganizationStore
from services.auth.organizations import Organizations
from services.auth.passwords import Passwords, make_hasher
from services.auth.revocations import RevocationFeed
from services.auth.sealing import Sealer
from services.auth.service_tokens import ServiceTokens
from services.auth.servicer import AuthServicer, DirectoryServicer
from services.auth.session_store import SessionStore
from services.auth.sessions import Sessions
from services.auth.settings import Settings, decode_key
from services.auth.sign_in import SignIn
from services.auth.store import Database, open_database
from services.auth.tokens import TokenSigner
from services.auth.user_import import UserImport
from services.auth.user_store import UserStore
from services.auth.users import Users


@asynccontextmanager
async def wire(settings: Settings, unix_time: Callable[[], float] = time.time) -> AsyncIterator[Service]:
    """Builds the service, with migrated stores and a signing key.

    Args:
        settings: the settings of the process.
        unix_time: returns Unix time in seconds.
    """
    async with (
        open_database(settings.mongodb_uri, settings.mongodb_database) as database,
        open_bus(settings.redis_url, retention_seconds=2 * settings.access_token_seconds) as bus,
        open_client() as http,
    ):
        with closing(_passwords(settings)) as passwords:
            yield await _assemble(settings, unix_time, _Clients(database, bus, http, passwords))


class _Clients(NamedTuple):
    """Clients to close on exit."""

    database: Database
    bus: Bus
    http: httpx.AsyncClient
    passwords: Passwords


async def _assemble(settings: Settings, unix_time: Callable[[], float], clients: _Clients) -> Service:
    now = clock(unix_time)
    sealer = _sealer(settings)
    user_store, organization_store = UserStore(clients.database), OrganizationStore(clients.database, sealer)
    keys = KeyRing(KeyStore(clients.database), sealer, now, _schedule(settings))
    await keys.reseal()
    await organization_store.reseal()
    await keys.refresh()
    relevance = timedelta(seconds=settings.access_token_seconds)
    revocations = RevocationCache(unix_time)
    feed = RevocationFeed(clients.bus.revocations, revocations, now, relevance)
    await feed.start()
    signer = _signer(settings, keys, now)
    sessions = Sessions(
        SessionStore(clients.database),
        user_store,
        signer,
        feed,
        now,
        lifetime=timedelta(seconds=settings.session_seconds),
        grace=timedelta(seconds=settings.refresh_grace_seconds),
    )
    users = Users(user_store, organization_store, clients.passwords, sessions, now)
    tokens = IssuerTokens(_key_sets(settings, clients.http, unix_time), unix_time, settings.token_leeway_seconds)
    limiter = FallbackLimiter(clients.bus.limiter, LocalLimiter())
    service_tokens = ServiceTokens(settings.service_credentials, signer, _service_token_limits(settings, limiter))
    auth = AuthServicer(
        sign_in=SignIn(user_store, clients.passwords, sessions, _sign_in_limits(settings, limiter)),
        exchange=Exchange(organization_store, user_store, users, sessions, tokens),
        sessions=sessions,
        service_tokens=service_tokens,
        keys=keys,
        revocations=feed,
    )
    return Service(
        registrations=_registrations(auth, _directory(user_store, organization_store, users, now)),
        verifier=TokenVerifier(keys.jwks, unix_time, revocations),
        tasks={"keys": keys.run, "revocations": feed.run},
        drain=feed.drain,
    )


def _directory(
    user_store: UserStore, organization_store: OrganizationStore, users: Users, now: Clock
) -> DirectoryServicer:
    callers = Callers(user_store)
    directory = Directory(callers, user_store, organization_store)
    return DirectoryServicer(
        callers=callers,
        directory=directory,
        users=users,
        user_import=UserImport(users, user_store, organization_store),
        organizations=Organizations(organization_store, now),
    )


def _registrations(auth: AuthServicer, directory: DirectoryServicer) -> list[Registration]:
    return [
        Registration(
            auth_pb2.DESCRIPTOR.services_by_name["AuthService"],
            auth_pb2_grpc.add_AuthServiceServicer_to_server,
            auth,
        ),
        Registration(
            directory_pb2.DESCRIPTOR.services_by_name["DirectoryService"],
            directory_pb2_grpc.add_DirectoryServiceServicer_to_server,
            directory,
        ),
    ]


def _sealer(settings: Settings) -> Sealer:
    key, *previous = (
        decode_key(each.get_secret_value())
        for each in (settings.key_encryption_key, *settings.previous_key_encryption_keys)
    )
    return Sealer(key, previous)


def _signer(settings: Settings, keys: KeyRing, now: Clock) -> TokenSigner:
    return TokenSigner(
        keys,
        now,
        user_lifetime=timedelta(seconds=settings.access_token_seconds),
        service_lifetime=timedelta(seconds=settings.service_token_seconds),
    )


def _key_sets(settings: Settings, client: httpx.AsyncClient, unix_time: Callable[[], float]) -> KeySets:
    return KeySets(
        client,
        unix_time,
        keep_seconds=settings.issuer_keys_seconds,
        refetch_seconds=settings.issuer_refetch_seconds,
        timeout_seconds=settings.issuer_timeout_seconds,
    )


def _passwords(settings: Settings) -> Passwords:
    hasher = make_hasher(settings.password_time_cost, settings.password_memory_kib, settings.password_parallelism)
    return Passwords(hasher, workers=settings.password_workers, queue=settings.password_queue)


def _schedule(settings: Settings) -> KeySchedule:
    return KeySchedule(
        rotation=timedelta(seconds=settings.key_rotation_seconds),
        publication=timedelta(seconds=settings.key_publication_seconds),
        token_lifetime=timedelta(seconds=max(settings.access_token_seconds, settings.service_token_seconds)),
        check=timedelta(seconds=settings.key_check_seconds),
    )


def _sign_in_limits(settings: Settings, limiter: Limiter) -> SignInLimits:
    window = settings.sign_in_window_seconds
    return SignInLimits(
        limiter,
        by_account=Rate(settings.sign_in_account_attempts, window),
        by_address=Rate(settings.sign_in_address_attempts, window),
    )


def _service_token_limits(settings: Settings, limiter: Limiter) -> ServiceTokenLimits:
    return ServiceTokenLimits(limiter, Rate(settings.service_token_address_attempts, settings.sign_in_window_seconds))
