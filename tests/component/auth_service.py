"""The real auth service in this process, for the component tests of services that depend on it.

async with running_auth(mongodb_uri, redis_url) as auth:
    await auth.create_organization("acme")
    lea = await auth.sign_in_new("acme", "lead", teams=["east"])   # creates a user, and signs in
    chat_metadata = await auth.service_metadata("acme")            # a service's token with all scopes
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from parley.auth.v1 import auth_pb2, auth_pb2_grpc, directory_pb2, directory_pb2_grpc, user_pb2
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from chassis.rpc.channel import Metadata, bearer, open_channel
from chassis.rpc.server import serving
from services.auth.settings import ServiceCredential, Settings
from services.auth.wiring import wire

PASSWORD = "parley-test-password"
SERVICE = "tests"
SCOPES = (
    "users.act",
    "users.write",
    "directory.read",
    "organizations.write",
    "revocations.watch",
)
TIMEOUT_SECONDS = 40.0
_MARGIN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A signed-in user."""

    user: user_pb2.User
    tokens: auth_pb2.Tokens
    password: str

    @property
    def user_id(self) -> str:
        """The user's id."""
        return self.user.user_id

    @property
    def access_token(self) -> str:
        """The user's access token."""
        return self.tokens.access_token

    @property
    def metadata(self) -> Metadata:
        """The metadata of the user's calls."""
        return bearer(self.tokens.access_token)


class RunningAuth:
    """A running auth service, with shorthands for tests.

    Attributes:
        target: its address.
        settings: its settings.
        service_credentials: the name and secret of a service with all scopes that the tests use.
        auth: a stub of AuthService.
        directory: a stub of DirectoryService.
    """

    def __init__(
        self, channel: grpc.aio.Channel, target: str, settings: Settings, unix_time: Callable[[], float]
    ) -> None:
        self.target = target
        self.settings = settings
        secret = settings.service_credentials[SERVICE].secret.get_secret_value()
        self.service_credentials = (SERVICE, secret)
        self.auth = auth_pb2_grpc.AuthServiceStub(channel)
        self.directory = directory_pb2_grpc.DirectoryServiceStub(channel)
        self._unix_time = unix_time
        self._service_tokens: dict[str, tuple[str, float]] = {}

    async def service_token(self, organization_id: str = "") -> str:
        """Returns a token of the tests' service, for one organization or for all; reused until it nearly expires."""
        token, expires_at = self._service_tokens.get(organization_id, ("", 0.0))
        if expires_at - _MARGIN_SECONDS <= self._unix_time():
            service, secret = self.service_credentials
            response = await self.auth.IssueServiceToken(
                auth_pb2.IssueServiceTokenRequest(service=service, secret=secret, organization_id=organization_id),
                timeout=TIMEOUT_SECONDS,
            )
            token = response.access_token
            self._service_tokens[organization_id] = (token, response.expire_time.seconds)
        return token

    async def service_metadata(self, organization_id: str = "") -> Metadata:
        """Returns the metadata of calls by the tests' service."""
        return bearer(await self.service_token(organization_id))

    async def create_organization(
        self,
        organization_id: str,
        *,
        group_creator_roles: Sequence[str] = (),
        trusted_issuers: Sequence[user_pb2.TrustedIssuer] = (),
    ) -> user_pb2.Organization:
        """Creates an organization."""
        response = await self.directory.CreateOrganization(
            directory_pb2.CreateOrganizationRequest(
                organization=user_pb2.Organization(
                    organization_id=organization_id,
                    name=f"Organization {organization_id}",
                    group_creator_roles=map(role_number, group_creator_roles),
                    trusted_issuers=trusted_issuers,
                )
            ),
            metadata=await self.service_metadata(),
            timeout=TIMEOUT_SECONDS,
        )
        return response.organization

    async def create_user(
        self,
        organization_id: str,
        role: str,
        *,
        user_id: str = "",
        name: str = "",
        email: str = "",
        teams: Sequence[str] = (),
        password: str = "",
        disabled: bool = False,
    ) -> user_pb2.User:
        """Creates a user. Missing fields get values, except e-mail and password."""
        user_id = user_id or f"{role}-{secrets.token_hex(4)}"
        response = await self.directory.CreateUser(
            directory_pb2.CreateUserRequest(
                user=user_pb2.User(
                    user_id=user_id,
                    name=name or f"Name of {user_id}",
                    email=email,
                    role=role_number(role),
                    teams=teams,
                    disabled=disabled,
                ),
                password=password,
            ),
            metadata=await self.service_metadata(organization_id),
            timeout=TIMEOUT_SECONDS,
        )
        return response.user

    async def update_user(
        self, organization_id: str, user_id: str, *, password: str = "", **fields: Any
    ) -> user_pb2.User:
        """Changes these fields of a user, as the tests' service."""
        metadata = await self.service_metadata(organization_id)
        if password:
            set_password = directory_pb2.SetPasswordRequest(user_id=user_id, password=password)
            await self.directory.SetPassword(set_password, metadata=metadata, timeout=TIMEOUT_SECONDS)
        if not fields:
            get = directory_pb2.GetUserRequest(user_id=user_id)
            return (await self.directory.GetUser(get, metadata=metadata, timeout=TIMEOUT_SECONDS)).user
        response = await self.directory.UpdateUser(
            directory_pb2.UpdateUserRequest(
                user=user_pb2.User(user_id=user_id, **fields), update_mask=FieldMask(paths=list(fields))
            ),
            metadata=metadata,
            timeout=TIMEOUT_SECONDS,
        )
        return response.user

    async def sign_in_new(
        self,
        organization_id: str,
        role: str,
        *,
        user_id: str = "",
        name: str = "",
        teams: Sequence[str] = (),
    ) -> SignedIn:
        """Creates a user, and signs in."""
        email = f"{secrets.token_hex(8)}@test.example"
        user = await self.create_user(
            organization_id, role, user_id=user_id, name=name, email=email, teams=teams, password=PASSWORD
        )
        return await self.sign_in(user.email)

    async def sign_in(self, email: str, password: str = PASSWORD) -> SignedIn:
        """Signs a user in."""
        response = await self.auth.SignIn(
            auth_pb2.SignInRequest(email=email, password=password), timeout=TIMEOUT_SECONDS
        )
        return SignedIn(response.user, response.tokens, password)


def role_number(role: str) -> user_pb2.Role.ValueType:
    """Returns the number of a role by its lower-case name."""
    return user_pb2.Role.Value(f"ROLE_{role.upper()}")


def auth_settings(mongodb_uri: str, redis_url: str, **overrides: object) -> Settings:
    """Returns settings for tests: a database of their own, and cheap password hashes."""
    values: dict[str, object] = {
        "mongodb_uri": mongodb_uri,
        "redis_url": redis_url,
        "mongodb_database": f"test_auth_{secrets.token_hex(8)}",
        "key_encryption_key": SecretStr(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()),
        "service_credentials": {
            SERVICE: ServiceCredential(
                secret=SecretStr(secrets.token_urlsafe(24)),
                scopes=frozenset(SCOPES),
                organizations=frozenset({"*"}),
            )
        },
        "drain_seconds": 1.0,
        "password_time_cost": 1,
        "password_memory_kib": 1_024,
        "password_parallelism": 1,
        "sign_in_address_attempts": 100_000,
        "service_token_address_attempts": 100_000,
    }
    return Settings.model_validate(values | overrides)


@asynccontextmanager
async def running_auth(
    mongodb_uri: str,
    redis_url: str,
    *,
    settings: Settings | None = None,
    unix_time: Callable[[], float] = time.time,
    scopes: Sequence[str] = (),
) -> AsyncIterator[RunningAuth]:
    """Runs the auth service on a free port.

    Args:
        mongodb_uri: the database server; without `settings`, the database is dropped afterwards.
        redis_url: the Redis server.
        settings: settings other than those of `auth_settings`.
        unix_time: returns the service's Unix time in seconds.
        scopes: further scopes of the tests' service, such as "chat.act".
    """
    own = settings is None
    settings = settings or auth_settings(mongodb_uri, redis_url)
    if scopes:
        credential = settings.service_credentials[SERVICE]
        wider = credential.model_copy(update={"scopes": credential.scopes | set(scopes)})
        settings = settings.model_copy(update={"service_credentials": settings.service_credentials | {SERVICE: wider}})
    try:
        async with wire(settings, unix_time) as service, serving(service, settings) as port:
            target = f"127.0.0.1:{port}"
            async with open_channel(target) as channel:
                yield RunningAuth(channel, target, settings, unix_time)
    finally:
        if own:
            await drop_database(settings)


async def drop_database(settings: Settings) -> None:
    """Drops a test's database."""
    async with AsyncMongoClient[dict[str, object]](settings.mongodb_uri) as client:
        await client.drop_database(settings.mongodb_database)
