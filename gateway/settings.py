"""Gateway settings."""

from __future__ import annotations

from pydantic import Field

from chassis.process.settings import Address, ProcessSettings


class Settings(ProcessSettings):
    """The gateway's settings; `chassis.process.settings` reads them."""

    websocket_listen: Address = Field("127.0.0.1:0", description="address that serves WebSocket, at /ws")
    http_listen: Address = Field("127.0.0.1:0", description="address that serves the HTTP interface and Socket.IO")
    helpdesk_listen: Address | None = Field(
        None, description="address that serves the helpdesk dialect at any path, besides /helpdesk; unset: none"
    )
    default_dialect: str = Field("telecom", description="dialect of Socket.IO's default namespace")
    chat_target: Address = Field(description="address of ConversationService, MessageService and EventService")
    presence_target: Address = Field(description="address of PresenceService")
    notify_target: Address = Field(description="address of NotificationService")
    allowed_origins: tuple[str, ...] = Field(
        (),
        description='origins from which browsers may connect, besides the gateway\'s own: ["https://crm.example"]',
    )
    trusted_proxies: int = Field(
        1,
        ge=0,
        le=10,
        description="number of trusted proxies that append to X-Forwarded-For in front of the HTTP interface, "
        "including Envoy",
    )
    chat_shards: int = Field(
        1, ge=1, le=64, description="number of conversation shards; each has one call to chat in flight"
    )
    frame_bytes: int = Field(64 * 1024, ge=1_024, description="maximum size of a message from a client, reassembled")
    max_send_buffer_bytes: int = Field(
        1024 * 1024, ge=1_024, description="a connection with more unsent bytes is closed with code 4408"
    )
    connections_per_user: int = Field(20, ge=1, description="maximum connections of one user on one gateway")
    connections_per_second: int = Field(
        1_000, ge=1, description="maximum rate of new connections on one gateway; further ones get 503"
    )
    connections_burst: int = Field(5_000, ge=1, description="maximum burst of new connections on one gateway")
    requests_in_flight: int = Field(256, ge=1, description="maximum unanswered requests of one connection")
    frames_per_second: int = Field(500, ge=1, description="a connection that sends more frames is closed")
    messages_per_second: int = Field(
        20, ge=1, description="rate limit on messages that clients are informed of; chat enforces its own"
    )
    queued_items: int = Field(
        20_000, ge=1, description="maximum queued messages, and maximum queued signals, for each shard of chat"
    )
    ping_seconds: float = Field(25.0, gt=0, description="interval between pings of a connection, in s")
    idle_timeout_seconds: float = Field(
        60.0, gt=0, description="a connection that sends nothing for this long, pongs included, is closed, in s"
    )
