"""Puts the auth service together: the only place where its clients are opened and its parts are made."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, closing
from datetime import timedelta

from parley.auth.v1 import auth_pb2, auth_pb2_grpc, directory_pb2, directory_pb2_grpc

from chassis.eventlog import EventLog, open_redis
from chassis.identity import TokenVerifier
from chassis.server import Registration, Service
from services.auth.bus import RedisLimiter, RevocationLog
from services.auth.callers import Callers
from services.auth.clock import clock
from services.auth.directory import Directory
from services.auth.keys import KeyRing, KeySchedule
from services.auth.limits import FallbackLimiter, LocalLimiter, Rate, SignInLimits
from services.auth.organizations import Organizations
from services.auth.passwords import Passwords, make_hasher
from services.auth.revocations import RevocationFeed
from services.auth.sealing import Sealer
from services.auth.service_tokens import ServiceTokens
from services.auth.servicer import AuthServicer, DirectoryServicer
from services.auth.sessions import Sessions
from services.auth.settings import Settings, decode_key
from services.auth.sign_in import SignIn
from services.auth.store.database import open_database
from services.auth.store.keys import KeyStore
from services.auth.store.organizations import OrganizationStore
from services.auth.store.sessions import SessionStore
from services.auth.store.users import UserStore
from services.auth.tokens import TokenSigner
from services.auth.users import Users


@asynccontextmanager
async def wire(settings: Settings, unix_time: Callable[[], float] = time.time) -> AsyncIterator[Service]:
    """Builds the service on its stores, which answer and have their indexes, and with a key to sign with.

    Args:
        settings: what the process is told.
        unix_time: the clock, in s.
    """
    now = clock(unix_time)
    sealer = Sealer(decode_key(settings.key_encryption_key.get_secret_value()))
    async with (
        open_database(settings.mongodb_uri, settings.mongodb_database) as database,
        aclosing(open_redis(settings.redis_url)) as redis,
    ):
        with closing(_passwords(settings)) as passwords:
            users, organizations = UserStore(database), OrganizationStore(database, sealer)
            keys = KeyRing(KeyStore(database), sealer, now, _schedule(settings))
            await keys.refresh()
            signer = TokenSigner(
                keys,
                now,
                timedelta(seconds=settings.access_token_seconds),
                timedelta(seconds=settings.service_token_seconds),
            )
            relevance = timedelta(seconds=settings.access_token_seconds)
            log = EventLog(redis, "auth", retention_seconds=2 * settings.access_token_seconds)
            feed = RevocationFeed(RevocationLog(log), users, now, relevance)
            await feed.start()
            sessions = Sessions(
                SessionStore(database),
                users,
                signer,
                feed,
                now,
                lifetime=timedelta(seconds=settings.session_seconds),
                grace=timedelta(seconds=settings.refresh_grace_seconds),
            )
            callers = Callers(users)
            auth = AuthServicer(
                SignIn(users, passwords, sessions, _limits(settings, RedisLimiter(redis))),
                sessions,
                ServiceTokens(settings.service_credentials, signer),
                keys,
                feed,
            )
            directory = DirectoryServicer(
                callers,
                Directory(callers, users, organizations),
                Users(users, organizations, passwords, sessions, now),
                Organizations(organizations, now),
            )
            yield Service(
                registrations=[
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
                ],
                verifier=TokenVerifier(keys.jwks, unix_time),
                tasks={"keys": keys.run, "revocations": feed.run},
                drain=feed.drain,
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


def _limits(settings: Settings, shared: RedisLimiter) -> SignInLimits:
    window = settings.sign_in_window_seconds
    return SignInLimits(
        FallbackLimiter(shared, LocalLimiter()),
        by_account=Rate(settings.sign_in_account_attempts, window),
        by_address=Rate(settings.sign_in_address_attempts, window),
    )
