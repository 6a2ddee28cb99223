"""Errors survive encoding and decoding; malformed ones don't break the decoder."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import AppError, Category, make_error
from chassis.rpc.status import CODES, DETAILS_KEY, from_rpc_error, from_status, to_status


def rpc_error(code: grpc.StatusCode, *trailing: tuple[str, Any], details: str = "") -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details)


def same(error: AppError, other: AppError) -> bool:
    return all(
        getattr(error, name) == getattr(other, name)
        for name in ("category", "reason", "message", "fields", "retry_after_ms")
    )


@given(
    st.sampled_from(list(Category)),
    st.text(min_size=1),
    st.text(),
    st.dictionaries(st.text(), st.text(), max_size=5),
    st.none() | st.integers(0, 10**9),
)
def test_an_error_survives_encoding(
    category: Category, reason: str, message: str, fields: dict[str, str], retry_after_ms: int | None
) -> None:
    error = make_error(category, reason, message, fields=fields, retry_after_ms=retry_after_ms)
    status = to_status(error)
    assert same(from_status(status), error)
    carried = rpc_error(CODES[category], (DETAILS_KEY, status.SerializeToString()))
    assert same(from_rpc_error(carried), error)


def test_an_invalid_code_decodes_to_unknown() -> None:
    assert from_status(Status(code=99, message="?")).category is Category.UNKNOWN


@pytest.mark.parametrize("code", [c for c in grpc.StatusCode if c is not grpc.StatusCode.OK])
def test_transport_errors_contain_no_addresses(code: grpc.StatusCode) -> None:
    error = from_rpc_error(rpc_error(code, details="ipv4:10.0.0.7:50051: connection refused"))
    assert CODES[error.category] is code
    assert "10.0.0.7" not in error.message
    assert (error.retry_after_ms is not None) == (code is grpc.StatusCode.UNAVAILABLE)


@given(st.binary())
def test_malformed_details_are_ignored(data: bytes) -> None:
    error = from_rpc_error(rpc_error(grpc.StatusCode.ABORTED, (DETAILS_KEY, data)))
    assert isinstance(error, AppError)
