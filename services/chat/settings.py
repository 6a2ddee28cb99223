"""What the chat service is told; see chassis.process.settings for what all services are told."""

from __future__ import annotations

from pydantic import Field

from chassis.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """The chat service's settings."""

    mongodb_database: str = Field("parley_chat", min_length=1, description="the database in MongoDB")
    commit_writers: int = Field(2, ge=1, le=64, description="how many inserts may be in flight at once")
    commit_queue: int = Field(20_000, ge=1, description="how many messages may wait before new ones are refused")
    messages_per_second: float = Field(20.0, gt=0, description="how many messages a second one user may send")
    messages_burst: int = Field(100, ge=1, description="how many messages one user may send at once")
    cached_conversations: int = Field(50_000, ge=1, description="how many conversations are kept in memory")
    summary_interval_seconds: float = Field(0.5, gt=0, le=60, description="how often summaries are written, in s")
    event_shards: int = Field(4, ge=1, le=256, description="streams that events are spread over; alike everywhere")
    event_retention_seconds: float = Field(3_600, ge=60, description="how long events can be resumed, in s")
    replica_timeout_seconds: float = Field(10.0, ge=1, description="after how long a silent replica is dead, in s")
