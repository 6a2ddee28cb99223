"""Settings of the chat service; those of all services are in chassis.process.settings."""

from __future__ import annotations

from pydantic import Field

from chassis.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the chat service."""

    mongodb_database: str = Field("parley_chat", min_length=1, description="MongoDB database")
    commit_writers: int = Field(2, ge=1, le=64, description="concurrent inserts into the conversation log")
    commit_queue: int = Field(20_000, ge=1, description="queued messages at which new ones are rejected")
    messages_per_second: float = Field(20.0, gt=0, description="sustained rate of messages from one user, per second")
    messages_burst: int = Field(100, ge=1, description="messages that one user may send in a burst")
    cached_conversations: int = Field(50_000, ge=1, description="conversations cached in memory")
    summary_interval_seconds: float = Field(0.5, gt=0, le=60, description="interval of summary writes, in s")
    event_shards: int = Field(4, ge=1, le=256, description="number of event streams; the same for every replica")
    event_retention_seconds: float = Field(3_600, ge=60, description="how long cursors can resume, in s")
    replica_timeout_seconds: float = Field(10.0, ge=1, description="silence that makes a replica dead, in s")
