"""The services as the gateway sees them: their stubs, and how a call is made for a user or for the gateway itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Protocol, TypeVar
from zlib import crc32

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from parley.auth.v1 import auth_pb2_grpc, directory_pb2_grpc
from parley.chat.v1 import conversation_pb2_grpc, event_pb2_grpc, message_pb2_grpc
from parley.notify.v1 import notification_pb2_grpc
from parley.presence.v1 import presence_pb2_grpc
from pydantic import SecretStr

from chassis.contract.methods import Method, message_class
from chassis.process.tracing import trace_headers
from chassis.rpc.channel import CALL_TIMEOUT_SECONDS, Metadata, ServiceTokens, bearer, open_channel
from chassis.rpc.status import from_rpc_error
from chassis.rpc.tls import TlsFiles

SHARD_HEADER: Final = "x-parley-shard"
SERVICE_HEADER: Final = "x-parley-service"  # all services have health at one path: this tells Envoy whose is meant

Q = TypeVar("Q")
R = TypeVar("R")


class UpstreamSettings(Protocol):
    """What it takes to reach the services."""

    @property
    def auth_target(self) -> str:
        """Where auth is."""

    @property
    def chat_target(self) -> str:
        """Where chat is."""

    @property
    def presence_target(self) -> str:
        """Where presence is."""

    @property
    def notify_target(self) -> str:
        """Where notify is."""

    @property
    def service_name(self) -> str:
        """The name that the gateway shows to auth."""

    @property
    def service_secret(self) -> SecretStr:
        """The secret that goes with it."""

    @property
    def chat_shards(self) -> int:
        """Over how many shards conversations are spread."""

    @property
    def tls(self) -> TlsFiles | None:
        """What the gateway shows to them; None where it talks to them without TLS."""


class Upstreams:
    """The stubs of all services.

    Args:
        auth: the channel to AuthService and DirectoryService.
        chat: the channel to chat's services.
        presence: the channel to PresenceService.
        notify: the channel to NotificationService.
        service_tokens: the gateway's own tokens.
        chat_shards: over how many shards conversations are spread.
    """

    def __init__(
        self,
        *,
        auth: grpc.aio.Channel,
        chat: grpc.aio.Channel,
        presence: grpc.aio.Channel,
        notify: grpc.aio.Channel,
        service_tokens: ServiceTokens,
        chat_shards: int,
    ) -> None:
        self.auth_channel = auth
        self.auth = auth_pb2_grpc.AuthServiceStub(auth)
        self.directory = directory_pb2_grpc.DirectoryServiceStub(auth)
        self.conversations = conversation_pb2_grpc.ConversationServiceStub(chat)
        self.messages = message_pb2_grpc.MessageServiceStub(chat)
        self.chat_events = event_pb2_grpc.EventServiceStub(chat)
        self.presence = presence_pb2_grpc.PresenceServiceStub(presence)
        self.notifications = notification_pb2_grpc.NotificationServiceStub(notify)
        self._health = {
            name: health_pb2_grpc.HealthStub(channel)
            for name, channel in (("auth", auth), ("chat", chat), ("presence", presence), ("notify", notify))
        }
        self._channels = {"auth": auth, "chat": chat, "presence": presence, "notify": notify}
        self._methods: dict[str, grpc.aio.UnaryUnaryMultiCallable[Any, Any]] = {}
        self.service_tokens = service_tokens
        self.chat_shards = chat_shards

    def method(self, method: Method) -> grpc.aio.UnaryUnaryMultiCallable[Any, Any]:
        """Returns what calls a unary method, by the service in its package's name, such as "chat" in parley.chat.v1."""
        found = self._methods.get(method.path)
        if found is None:
            _, service, _ = method.package.split(".")
            found = self._methods[method.path] = self._channels[service].unary_unary(
                method.path,
                request_serializer=message_class(method.input).SerializeToString,
                response_deserializer=message_class(method.output).FromString,
            )
        return found

    def shard_of(self, conversation_id: str) -> int:
        """The shard that a conversation is in: calls of one shard go to one replica of chat while it stands."""
        return crc32(conversation_id.encode(errors="surrogatepass")) % self.chat_shards

    def shard_metadata(self, shard: int) -> Metadata:
        """The metadata by which Envoy finds a shard's replica."""
        return ((SHARD_HEADER, str(shard)),)

    async def is_serving(self, service: str, *, timeout: float) -> bool:
        """Whether a service, such as "chat", can be reached and says that it serves."""
        metadata = ((SERVICE_HEADER, service),)
        try:
            response: health_pb2.HealthCheckResponse = await self._health[service].Check(  # type: ignore[attr-defined]
                health_pb2.HealthCheckRequest(), metadata=metadata, timeout=timeout
            )
        except grpc.aio.AioRpcError:
            return False
        return response.status == health_pb2.HealthCheckResponse.SERVING

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, R],
        request: Q,
        *,
        token: str = "",
        conversation_id: str = "",
        timeout: float = CALL_TIMEOUT_SECONDS,
    ) -> R:
        """Makes one call.

        Args:
            method: of one of the stubs here.
            request: what to ask.
            token: the access token of the user for whom it is made; empty for a public method.
            conversation_id: the conversation that it is about, if any: its shard is named in the metadata.
            timeout: after how many seconds it is given up.

        Raises:
            AppError: whatever the service or the way there answered.
        """
        metadata: Metadata = bearer(token) if token else ()
        if conversation_id:
            metadata += self.shard_metadata(self.shard_of(conversation_id))
        try:
            return await method(request, metadata=metadata, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    async def call_as_gateway(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, R],
        request: Q,
        *,
        shard: int | None = None,
        organization_id: str = "",
        timeout: float = CALL_TIMEOUT_SECONDS,
    ) -> R:
        """Makes one call with the gateway's own token, such as one that carries items of many users.

        Raises:
            AppError: whatever the service, the way there, or auth (for the token) answered.
        """
        metadata = await self.service_tokens.metadata(organization_id) + trace_headers()
        if shard is not None:
            metadata += self.shard_metadata(shard)
        try:
            return await method(request, metadata=metadata, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error


@asynccontextmanager
async def open_upstreams(settings: UpstreamSettings) -> AsyncIterator[Upstreams]:
    """Opens the channels, and closes them on leaving. Nothing connects before the first call."""
    async with AsyncExitStack() as stack:
        auth, chat, presence, notify = [
            await stack.enter_async_context(open_channel(target, settings.tls))
            for target in (
                settings.auth_target,
                settings.chat_target,
                settings.presence_target,
                settings.notify_target,
            )
        ]
        tokens = ServiceTokens(auth, settings.service_name, settings.service_secret.get_secret_value())
        yield Upstreams(
            auth=auth,
            chat=chat,
            presence=presence,
            notify=notify,
            service_tokens=tokens,
            chat_shards=settings.chat_shards,
        )
