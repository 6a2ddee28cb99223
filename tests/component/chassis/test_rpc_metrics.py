"""RPC metrics count the start, end and duration of every call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
import pytest
from parley.presence.v1 import presence_pb2, presence_pb2_grpc
from prometheus_client import REGISTRY

from chassis.rpc.channel import bearer
from tests.component.chassis import test_interceptor
from tests.component.chassis.test_interceptor import failure, request_for, token

grpc_service = test_interceptor.grpc_service
servicer = test_interceptor.servicer
ANN = bearer(token())
UNARY = {"grpc_type": "unary", "grpc_service": "parley.presence.v1.PresenceService", "grpc_method": "BatchGetPresence"}
STREAM = {**UNARY, "grpc_type": "server_stream", "grpc_method": "WatchPresence"}


@pytest.fixture
def grpc_stub_cls() -> Callable[[grpc.aio.Channel], presence_pb2_grpc.PresenceServiceStub]:
    return presence_pb2_grpc.PresenceServiceStub


def value(name: str, labels: dict[str, str], code: str = "") -> float:
    sample = REGISTRY.get_sample_value(name, {**labels, "grpc_code": code} if code else labels)
    return sample or 0.0


class Counted:
    """The increase of the metrics since the object was created."""

    def __init__(self, labels: dict[str, str], code: str) -> None:
        self._labels, self._code = labels, code
        self._before = self._now()

    def _now(self) -> tuple[float, float, float]:
        return (
            value("grpc_server_started_total", self._labels),
            value("grpc_server_handled_total", self._labels, self._code),
            value("grpc_server_handling_seconds_count", self._labels),
        )

    @property
    def since(self) -> tuple[float, ...]:
        return tuple(now - before for now, before in zip(self._now(), self._before, strict=True))


async def until(counted: Counted, expected: tuple[float, float, float]) -> None:
    """Waits for the counts: a caller may see its call's end before the server has counted it."""
    async with asyncio.timeout(60.0):
        while counted.since != expected:
            await asyncio.sleep(0.01)


async def test_a_call_that_succeeds(grpc_stub: presence_pb2_grpc.PresenceServiceStub) -> None:
    counted = Counted(UNARY, "OK")
    await grpc_stub.BatchGetPresence(request_for("x"), metadata=ANN)
    await until(counted, (1, 1, 1))


async def test_a_call_that_is_refused(grpc_stub: presence_pb2_grpc.PresenceServiceStub) -> None:
    counted = Counted(UNARY, "RESOURCE_EXHAUSTED")
    assert (await failure(grpc_stub.BatchGetPresence(request_for("busy"), metadata=ANN))).reason == "BUSY"
    await until(counted, (1, 1, 1))


async def test_a_call_that_its_caller_gives_up(grpc_stub: presence_pb2_grpc.PresenceServiceStub) -> None:
    counted = Counted(UNARY, "CANCELLED")
    call = grpc_stub.BatchGetPresence(request_for("slow"), metadata=ANN)
    await until(counted, (1, 0, 0))
    call.cancel()
    await until(counted, (1, 1, 1))


async def test_a_stream_that_its_reader_leaves(grpc_stub: presence_pb2_grpc.PresenceServiceStub) -> None:
    counted = Counted(STREAM, "CANCELLED")
    call = grpc_stub.WatchPresence(presence_pb2.WatchPresenceRequest(user_ids=["x"]), metadata=ANN)
    await call.read()
    call.cancel()
    await until(counted, (1, 1, 0))


async def test_codes_that_have_not_occurred_are_exported_as_zero(
    grpc_stub: presence_pb2_grpc.PresenceServiceStub,
) -> None:
    await grpc_stub.BatchGetPresence(request_for("x"), metadata=ANN)
    labels = {**UNARY, "grpc_code": "DATA_LOSS"}
    assert REGISTRY.get_sample_value("grpc_server_handled_total", labels) == 0
