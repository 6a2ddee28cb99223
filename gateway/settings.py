"""What the gateway is told."""

from __future__ import annotations

from pydantic import Field

from chassis.process.settings import Address, ProcessSettings


class Settings(ProcessSettings):
    """The gateway's settings; see `chassis.process.settings` for where they come from."""

    websocket_listen: Address = Field("127.0.0.1:0", description="where WebSocket is served, at /ws")
    http_listen: Address = Field("127.0.0.1:0", description="where the HTTP interface and Socket.IO are served")
    helpdesk_listen: Address | None = Field(
        None, description="where the helpdesk dialect is served besides /helpdesk, at any path; nowhere when not given"
    )
    default_dialect: str = Field("telecom", description="what Socket.IO speaks in its default namespace")
    chat_target: Address = Field(description="where ConversationService, MessageService and EventService are reached")
    presence_target: Address = Field(description="where PresenceService is reached")
    notify_target: Address = Field(description="where NotificationService is reached")
    allowed_origins: tuple[str, ...] = Field(
        (), description='origins from which browsers may connect besides our own, such as ["https://crm.example"]'
    )
    trusted_proxies: int = Field(
        1,
        ge=0,
        le=10,
        description="how many proxies of ours append to X-Forwarded-For in front of the HTTP interface; Envoy is one",
    )
    chat_shards: int = Field(
        1, ge=1, le=64, description="over how many shards conversations are spread; one call each is in flight"
    )
    frame_bytes: int = Field(64 * 1024, ge=1_024, description="the largest frame that is taken, reassembled")
    unsent_bytes: int = Field(1024 * 1024, ge=1_024, description="a connection with more bytes unsent is closed")
    connections_per_user: int = Field(20, ge=1, description="how many connections a user may have on one gateway")
    connections_per_second: int = Field(
        1_000, ge=1, description="how many new connections a second one gateway takes; the others get a 503"
    )
    connections_burst: int = Field(5_000, ge=1, description="how many new connections one gateway takes at once")
    requests_in_flight: int = Field(256, ge=1, description="how many requests of a connection may be unanswered")
    frames_per_second: int = Field(500, ge=1, description="a connection that sends more frames is closed")
    messages_per_second: int = Field(
        20, ge=1, description="what clients are told of the limit on sending, which chat keeps"
    )
    queued_items: int = Field(
        20_000, ge=1, description="how many messages, and signals, may wait for chat, for each shard"
    )
    ping_seconds: float = Field(25.0, gt=0, description="how often a connection is pinged")
    silence_seconds: float = Field(60.0, gt=0, description="a connection that says nothing for so long is dropped")
