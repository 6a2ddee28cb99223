"""What the presence service is told; see chassis.process.settings for what all services are told.

The times make up what is promised: a gateway that dies is noticed after `lease_seconds`, give or take
`sweep_seconds`, and the work of a replica that dies is taken over after `takeover_seconds`.
"""

from __future__ import annotations

from pydantic import Field

from chassis.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """The presence service's settings; the times must be alike in all replicas."""

    mongodb_database: str = Field("parley_presence", min_length=1, description="the database in MongoDB")
    lease_seconds: float = Field(
        15.0, ge=0.2, le=300, description="after how long without a word a gateway's sessions are closed, in s"
    )
    grace_seconds: float = Field(
        10.0, ge=0, le=300, description="how long after the last session closed a user is offline, in s"
    )
    coalesce_seconds: float = Field(
        0.075, ge=0, le=5, description="how long changes are gathered before others are told, in s"
    )
    sweep_seconds: float = Field(
        1.0, gt=0, le=10, description="how often silent gateways and what other replicas left are looked for, in s"
    )
    takeover_seconds: float = Field(
        3.0, gt=0, le=60, description="after how long work that a replica began and didn't end is begun anew, in s"
    )
    recent_seconds: float = Field(
        3_600, ge=1, description="how long after someone left a gateway that comes back is told of it, in s"
    )
    event_shards: int = Field(
        4, ge=1, le=64, description="parts that all of presence is spread over; never changed while data is there"
    )
    event_retention_seconds: float = Field(600, ge=60, description="how long changes can be followed, in s")
