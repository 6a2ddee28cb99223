"""Expectations of failing calls."""

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
    """A call that failed; `error` is set after the block."""

    error: AppError | None = None

    @property
    def retry_after_ms(self) -> int:
        """The time to wait before a retry."""
        assert self.error is not None
        assert self.error.retry_after_ms is not None
        return self.error.retry_after_ms

    @property
    def fields(self) -> dict[str, str]:
        """The problem of each field."""
        assert self.error is not None
        return self.error.fields


@contextmanager
def refused(category: Category, reason: str, *fields: str) -> Iterator[Refusal]:
    """Expects the block's call to fail with this category and reason, and with exactly these fields."""
    refusal = Refusal()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield refusal
    refusal.error = from_rpc_error(caught.value)
    assert (refusal.error.category, refusal.error.reason) == (category, reason)
    assert sorted(refusal.error.fields) == sorted(fields)
