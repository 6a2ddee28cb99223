"""How tests say that a call is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import pytest

from chassis.errors import AppError, Category
from chassis.rpc.status import from_rpc_error


@dataclass
class Refusal:
    """A refused call; the error is there after the block."""

    error: AppError | None = None

    @property
    def retry_after_ms(self) -> int:
        """When to come back."""
        assert self.error is not None
        assert self.error.retry_after_ms is not None
        return self.error.retry_after_ms

    @property
    def fields(self) -> dict[str, str]:
        """What is wrong with each field."""
        assert self.error is not None
        return self.error.fields


@contextmanager
def refused(category: Category, reason: str, *fields: str) -> Iterator[Refusal]:
    """The block's call is refused, for this reason and with exactly these fields named."""
    refusal = Refusal()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield refusal
    refusal.error = from_rpc_error(caught.value)
    assert (refusal.error.category, refusal.error.reason) == (category, reason)
    assert sorted(refusal.error.fields) == sorted(fields)
