"""The settings of the notify service; chassis.process.settings has those of all services."""

from __future__ import annotations

from pydantic import Field

from chassis.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """The notify service's settings."""

    mongodb_database: str = Field("parley_notify", min_length=1, description="the database in MongoDB")
    chat_log: str = Field("chat", min_length=1, description="name of chat's event log")
    event_shards: int = Field(
        4, ge=1, le=256, description="number of event-log shards; the same in every process that uses the log"
    )
    event_retention_seconds: float = Field(
        3_600, ge=60, description="how long the event log keeps events for subscribers to resume, in s"
    )
    coalesce_ms: int = Field(
        150, ge=0, le=5_000, description="how long chat's events are gathered into one write under load, in ms"
    )
    claim_idle_seconds: float = Field(
        30.0, gt=0, le=3_600, description="idle time after which a replica's unacknowledged events are claimed, in s"
    )
    retention_days: float = Field(
        90.0, gt=0, le=3_650, description="retention of read or deleted notifications, in days"
    )
