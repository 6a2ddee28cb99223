"""Settings of the auth service."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Final

from argon2.profiles import RFC_9106_LOW_MEMORY
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from chassis.process.settings import Address, ServiceSettings

_KEY_BYTES: Final = 32  # AES-256
_EVERY_ORGANIZATION: Final = "*"
_DAY_SECONDS: Final = 86_400


def decode_key(text: str) -> bytes:
    """Decodes a key-encryption key: 32 bytes in base64url, padded or not. Raises ValueError."""
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("must be base64url") from None
    if len(key) != _KEY_BYTES:
        raise ValueError(f"must be {_KEY_BYTES} bytes in base64url")
    return key


def _key(value: SecretStr) -> SecretStr:
    decode_key(value.get_secret_value())
    return value


class ServiceCredential(BaseModel):
    """A service's secret and permissions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret: SecretStr = Field(min_length=16, max_length=1_024)
    scopes: frozenset[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,63}$")]] = frozenset()
    organizations: frozenset[str] = frozenset()

    @property
    def serves_all(self) -> bool:
        """Whether the service may act in every organization, and without one."""
        return _EVERY_ORGANIZATION in self.organizations

    def serves(self, organization_id: str) -> bool:
        """Whether the service may act in an organization."""
        return self.serves_all or organization_id in self.organizations


class Settings(ServiceSettings):
    """Settings of the auth service. It requests no tokens from itself, so the credentials of a client have defaults."""

    auth_target: Address = Field("127.0.0.1:0", description="not used by auth")
    service_name: str = Field("auth", min_length=1, description="not used by auth")
    service_secret: SecretStr = Field(SecretStr(""), description="not used by auth")

    mongodb_database: str = Field("parley_auth", pattern=r"^[A-Za-z0-9_-]{1,63}$", description="MongoDB database")
    key_encryption_key: Annotated[SecretStr, AfterValidator(_key)] = Field(
        description="32 bytes in base64url that encrypt signing keys and shared secrets in the database"
    )
    previous_key_encryption_keys: tuple[Annotated[SecretStr, AfterValidator(_key)], ...] = Field(
        (), description="earlier values of key_encryption_key, as JSON; their secrets are resealed at start-up"
    )
    service_credentials: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")], ServiceCredential] = Field(
        description='services that may get tokens, as JSON: {"chat": {"secret", "scopes": [], "organizations": ["*"]}}'
    )

    access_token_seconds: int = Field(900, ge=30, le=3_600, description="lifetime of users' access tokens, in s")
    service_token_seconds: int = Field(900, ge=300, le=3_600, description="lifetime of services' tokens, in s")
    session_seconds: int = Field(30 * _DAY_SECONDS, ge=60, description="lifetime of a session without a refresh, in s")
    refresh_grace_seconds: float = Field(
        10.0, ge=0, le=60, description="grace period for repeating a refresh with the same token, in s"
    )

    key_rotation_seconds: int = Field(7 * _DAY_SECONDS, ge=60, description="how long a key signs, in s")
    key_publication_seconds: int = Field(
        _DAY_SECONDS, ge=1, description="how long a key is published before it signs, in s"
    )
    key_check_seconds: float = Field(60.0, gt=0, le=300, description="interval of key checks, in s")

    password_time_cost: int = Field(RFC_9106_LOW_MEMORY.time_cost, ge=1, le=20, description="argon2id: passes")
    password_memory_kib: int = Field(
        RFC_9106_LOW_MEMORY.memory_cost, ge=1_024, le=1_048_576, description="argon2id: memory per hash, in KiB"
    )
    password_parallelism: int = Field(RFC_9106_LOW_MEMORY.parallelism, ge=1, le=16, description="argon2id: lanes")
    password_workers: int = Field(2, ge=1, le=64, description="concurrent password hashes")
    password_queue: int = Field(64, ge=1, le=10_000, description="most queued password hashes")

    sign_in_account_attempts: int = Field(
        10, ge=1, description="failed sign-ins to one account per sign_in_window_seconds"
    )
    sign_in_address_attempts: int = Field(
        100, ge=1, description="failed sign-ins from one address per sign_in_window_seconds"
    )
    service_token_address_attempts: int = Field(
        100, ge=1, description="failed requests for services' tokens from one address per sign_in_window_seconds"
    )
    sign_in_window_seconds: float = Field(
        300.0, gt=0, le=86_400, description="window of the limits on sign-ins and services' tokens, in s"
    )

    issuer_timeout_seconds: float = Field(3.0, gt=0, le=30, description="time limit of a key set's fetch, in s")
    issuer_keys_seconds: float = Field(
        300.0, ge=1, le=86_400, description="how long an issuer's key set is cached, in s"
    )
    issuer_refetch_seconds: float = Field(
        5.0, ge=0, le=300, description="shortest time between two fetches of a key set, in s"
    )
    token_leeway_seconds: int = Field(30, ge=0, le=120, description="tolerated difference to an issuer's clock, in s")

    @model_validator(mode="after")
    def _keys_overlap(self) -> Settings:
        if self.key_publication_seconds >= self.key_rotation_seconds:
            raise ValueError("key_publication_seconds must be less than key_rotation_seconds")
        if self.key_check_seconds >= self.key_publication_seconds:
            raise ValueError("key_check_seconds must be less than key_publication_seconds")
        return self
