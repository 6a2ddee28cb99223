"""What the notify service is told; see chassis.process.settings for what all services are told."""

from __future__ import annotations

from pydantic import Field

from chassis.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """The notify service's settings."""

    mongodb_database: str = Field("parley_notify", min_length=1, description="the database in MongoDB")
    chat_log: str = Field("chat", min_length=1, description="the event log that tells of conversations")
    event_shards: int = Field(4, ge=1, le=256, description="streams that events are spread over; alike everywhere")
    event_retention_seconds: float = Field(3_600, ge=60, description="how long events can be resumed, in s")
    coalesce_ms: int = Field(
        150, ge=0, le=5_000, description="how long chat's events are gathered into one write while busy, in ms"
    )
    claim_idle_seconds: float = Field(
        30.0, gt=0, le=3_600, description="after how long a silent replica's unfinished events are taken over, in s"
    )
    retention_days: float = Field(
        90.0, gt=0, le=3_650, description="how long notifications are kept once they are read or deleted, in days"
    )
