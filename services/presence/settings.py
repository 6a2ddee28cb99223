"""The settings of the presence service; chassis.process.settings has those of all services.

The times determine the guarantees: replicas notice a dead gateway after `lease_seconds`, give or take `sweep_seconds`,
and take over a dead replica's work after `takeover_seconds`.
"""

from __future__ import annotations

from pydantic import Field

from chassis.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """The presence service's settings; the times must be the same in all replicas."""

    mongodb_database: str = Field("parley_presence", min_length=1, description="the database in MongoDB")
    lease_seconds: float = Field(
        15.0, ge=0.2, le=300, description="lease of a gateway: its sessions are closed after this silence, in s"
    )
    grace_seconds: float = Field(
        10.0, ge=0, le=300, description="delay from a user's last session closing until they are offline, in s"
    )
    coalesce_seconds: float = Field(
        0.075, ge=0, le=5, description="how long changes are gathered before they are published, in s"
    )
    sweep_seconds: float = Field(
        1.0, gt=0, le=10, description="interval of checks for silent gateways and unfinished work, in s"
    )
    takeover_seconds: float = Field(
        3.0, gt=0, le=60, description="time after which another replica takes over unfinished work, in s"
    )
    recent_seconds: float = Field(
        3_600, ge=1, description="how long snapshots for gateways include users who went offline, in s"
    )
    event_shards: int = Field(
        4, ge=1, le=64, description="number of shards of sessions and events; never change it while data exists"
    )
    event_retention_seconds: float = Field(600, ge=60, description="how long the event log keeps events, in s")
