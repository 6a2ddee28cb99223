"""The stubs of the services, and calls through them for a user or for the gateway itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
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
from gateway.upstream.page_reader import PageReader

SHARD_HEADER: Final = "x-parley-shard"
SERVICE_HEADER: Final = "x-parley-service"  # every service has its health at the same path; Envoy routes by this

Q = TypeVar("Q")
R = TypeVar("R")


class UpstreamSettings(Protocol):
    """The settings that reach the services."""

    @property
    def auth_target(self) -> str:
        """The address of auth."""

    @property
    def chat_target(self) -> str:
        """The address of chat."""

    @property
    def presence_target(self) -> str:
        """The address of presence."""

    @property
    def notify_target(self) -> str:
        """The address of notify."""

    @property
    def service_name(self) -> str:
        """The name under which auth knows the gateway."""

    @property
    def service_secret(self) -> SecretStr:
        """The secret that authenticates the gateway to auth."""

    @property
    def chat_shards(self) -> int:
        """The number of conversation shards."""

    @property
    def tls(self) -> TlsFiles | None:
        """The gateway's client certificate; None without TLS."""


class Upstreams:
    """The stubs of all services.

    Args:
        channels: the channel to each service, by its name, such as "chat"; auth, chat, presence and notify are needed.
        service_tokens: the gateway's own tokens.
        chat_shards: the number of conversation shards.
    """

    def __init__(
        self,
        *,
        channels: Mapping[str, grpc.aio.Channel],
        service_tokens: ServiceTokens,
        chat_shards: int,
    ) -> None:
        auth, chat = channels["auth"], channels["chat"]
        self.auth_channel = auth
        self.auth = auth_pb2_grpc.AuthServiceStub(auth)
        self.directory = directory_pb2_grpc.DirectoryServiceStub(auth)
        self.conversations = conversation_pb2_grpc.ConversationServiceStub(chat)
        self.messages = message_pb2_grpc.MessageServiceStub(chat)
        self.chat_events = event_pb2_grpc.EventServiceStub(chat)
        self.presence = presence_pb2_grpc.PresenceServiceStub(channels["presence"])
        self.notifications = notification_pb2_grpc.NotificationServiceStub(channels["notify"])
        self._health = {name: health_pb2_grpc.HealthStub(channel) for name, channel in channels.items()}
        self._channels = dict(channels)
        self._methods: dict[str, grpc.aio.UnaryUnaryMultiCallable[Any, Any]] = {}
        self.service_tokens = service_tokens
        self.chat_shards = chat_shards
        self.pages = PageReader(self)

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
        """Returns a conversation's shard: calls of a shard go to one replica of chat while it is healthy."""
        return crc32(conversation_id.encode(errors="surrogatepass")) % self.chat_shards

    def shard_metadata(self, shard: int) -> Metadata:
        """Returns the metadata by which Envoy selects a shard's replica."""
        return ((SHARD_HEADER, str(shard)),)

    async def is_serving(self, service: str, *, timeout: float) -> bool:
        """Returns whether a service, such as "chat", is reachable and reports SERVING."""
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
            method: a method of one of the stubs.
            request: its request.
            token: the calling user's access token; empty for a public method.
            conversation_id: the conversation that the call concerns, if any; its shard goes into the metadata.
            timeout: the deadline, in seconds.

        Raises:
            AppError: the error of the service, or of the network.
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
        """Makes one call with the gateway's own token, such as a batch of many users' items.

        Raises:
            AppError: the error of the service, of the network, or of auth when it issues the token.
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
    """Opens the channels, and closes them on leaving. They connect at the first call."""
    async with AsyncExitStack() as stack:
        targets = {
            "auth": settings.auth_target,
            "chat": settings.chat_target,
            "presence": settings.presence_target,
            "notify": settings.notify_target,
        }
        channels = {
            name: await stack.enter_async_context(open_channel(target, settings.tls))
            for name, target in targets.items()
        }
        tokens = ServiceTokens(channels["auth"], settings.service_name, settings.service_secret.get_secret_value())
        yield Upstreams(channels=channels, service_tokens=tokens, chat_shards=settings.chat_shards)
