"""Parley as the system under test: the whole local stack with real databases."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from joserfc import jwt
from joserfc.jwk import OctKey
from parley.auth.v1 import auth_pb2, auth_pb2_grpc, directory_pb2, directory_pb2_grpc, user_pb2

from bench.sockets import NativeSocket, Socket, SocketIoSocket
from bench.system import User
from chassis.rpc.channel import ServiceTokens, open_channel
from deploy.local.options import StackOptions
from deploy.local.stack import LocalStack

_ISSUER: Final = "https://crm.bench.example"
_AUDIENCE: Final = "parley"
_CONCURRENCY: Final = 32
_CALL_SECONDS: Final = 60.0
SUBPROTOCOL: Final = "parley.v1.json"

# Raises the limits on a user: here a few users are the whole load.
_SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "chat": {"PARLEY_MESSAGES_PER_SECOND": "1000000", "PARLEY_MESSAGES_BURST": "1000000"},
    "gateway": {"PARLEY_FRAMES_PER_SECOND": "1000000", "PARLEY_REQUESTS_IN_FLIGHT": "10000"},
    "auth": {"PARLEY_SIGN_IN_ADDRESS_ATTEMPTS": "1000000"},
}


class Parley:
    """A running stack, in its own dialect or, for comparison, in that of the usual Socket.IO server.

    Attributes:
        organization_id: the organization of the latest users.
    """

    in_order = True

    def __init__(self, stack: LocalStack, *, direct: bool, dialect: str) -> None:
        self._stack = stack
        self._dialect = dialect
        self.organization_id = ""
        port = stack.processes["gateway-1"].address("websocket" if dialect == "native" else "http")
        base = f"http://{port}" if direct else stack.url
        self._url = base.replace("http", "ws", 1)
        self.name = "parley" + ("" if dialect == "native" else f" ({dialect})") + (", direct" if direct else "")

    @property
    def grpc_target(self) -> str:
        """The address of the services' gRPC ports."""
        return self._stack.grpc_target

    @property
    def gateway_secret(self) -> str:
        """The gateway's service secret."""
        return self._stack.credentials.service_secrets["gateway"]

    @property
    def pids(self) -> Mapping[str, int]:
        """See System."""
        return {name: process.pid for name, process in self._stack.processes.items()}

    async def create_users(self, count: int) -> Sequence[User]:
        """See System: users of a CRM, who exchange a token that it signed."""
        organization_id, secret = f"bench-{secrets.token_hex(6)}", secrets.token_hex(24)
        self.organization_id = organization_id
        await self._create_organization(organization_id, secret)
        semaphore = asyncio.Semaphore(_CONCURRENCY)
        async with open_channel(self._stack.grpc_target) as channel:
            auth = auth_pb2_grpc.AuthServiceStub(channel)

            async def create(number: int) -> User:
                request = auth_pb2.ExchangeTokenRequest(token=_signed(organization_id, secret, f"u{number}"))
                async with semaphore:
                    response = await auth.ExchangeToken(request, timeout=_CALL_SECONDS)
                return User(f"u{number}", response.tokens.access_token)

            return await asyncio.gather(*map(create, range(count)))

    async def _create_organization(self, organization_id: str, secret: str) -> None:
        issuer = user_pb2.TrustedIssuer(
            issuer=f"{_ISSUER}/{organization_id}", audience=_AUDIENCE, algorithm="HS256", shared_secret=secret
        )
        organization = user_pb2.Organization(organization_id=organization_id, name="Bench", trusted_issuers=[issuer])
        async with open_channel(self._stack.grpc_target) as channel:
            tokens = ServiceTokens(channel, "operator", self._stack.credentials.service_secrets["operator"])
            await directory_pb2_grpc.DirectoryServiceStub(channel).CreateOrganization(
                directory_pb2.CreateOrganizationRequest(organization=organization),
                metadata=await tokens.metadata(),
                timeout=_CALL_SECONDS,
            )

    async def connect(self, user: User) -> Socket:
        """See System."""
        if self._dialect == "native":
            native = NativeSocket()
            headers = {"Authorization": f"Bearer {user.token}", "Sec-WebSocket-Protocol": SUBPROTOCOL}
            await native.open(f"{self._url}/ws", headers)
            return native
        socket = SocketIoSocket(user.token)
        await socket.open(f"{self._url}/socket.io/?EIO=4&transport=websocket", {})
        return socket

    async def direct(self, one: Socket, other: User) -> str:
        """See System."""
        if self._dialect == "native":
            answer = await one.ask("conversation.direct", {"userId": other.user_id})
            return str(answer["conversation"]["conversationId"])
        answer = await one.ask("getOrCreateConversation", {"targetUserId": other.user_id})
        return str(answer["conversationId"])

    async def group(self, owner: Socket, others: Sequence[User]) -> str:
        """See System."""
        body = {"kind": "group", "name": "Everybody", "memberIds": [user.user_id for user in others]}
        return str((await owner.ask("conversation.create", body))["conversation"]["conversationId"])


def _signed(organization_id: str, secret: str, user_id: str) -> str:
    now = int(time.time())
    claims = {
        "iss": f"{_ISSUER}/{organization_id}",
        "aud": _AUDIENCE,
        "sub": user_id,
        "name": user_id.upper(),
        "role": "manager",
        "iat": now,
        "exp": now + 300,
    }
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret))


@asynccontextmanager
async def parley(
    *, direct: bool = False, dialect: str = "native", cache_gigabytes: float = 0.5, limited: bool = False
) -> AsyncIterator[Parley]:
    """Runs Parley with empty databases; stops and deletes it at the end.

    Args:
        direct: connect to the gateway's port instead of Envoy's.
        dialect: the dialect to speak.
        cache_gigabytes: mongod's cache.
        limited: keep the default limits on what a user may send.
    """
    settings = {"auth": _SETTINGS["auth"]} if limited else _SETTINGS
    options = StackOptions(settings=settings, mongodb_cache_gigabytes=cache_gigabytes, log_level="warning")
    with TemporaryDirectory(prefix="parley-bench-") as directory:
        async with LocalStack(Path(directory), options=options) as stack:
            yield Parley(stack, direct=direct, dialect=dialect)
