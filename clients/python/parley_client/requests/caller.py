"""What the request methods stand on."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeVar

from msgspec import UNSET, UnsetType

T = TypeVar("T")


class Caller(ABC):
    """Makes requests."""

    @abstractmethod
    async def call(
        self, op: str, body: Mapping[str, object], shape: type[T], *, deadline_seconds: float | UnsetType | None = UNSET
    ) -> T:
        """Makes a request and returns its answer in the shape asked for; see Client.call."""


def present(**fields: object) -> dict[str, object]:
    """The fields that are given: those that are None are left out."""
    return {name: value for name, value in fields.items() if value is not None}
