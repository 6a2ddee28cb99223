"""Callers without a token send requests that would take much memory, unpacked or as they are."""

from __future__ import annotations

import asyncio

import grpc
import psutil
import pytest
from parley.auth.v1 import auth_pb2

from chassis.rpc.interceptor import MAX_ANONYMOUS_REQUEST_BYTES
from chassis.rpc.status import from_rpc_error
from deploy.local.stack import LocalStack

SIGN_IN = "/parley.auth.v1.AuthService/SignIn"
LIST_MESSAGES = "/parley.chat.v1.MessageService/ListMessages"
MEBIBYTE = 1024 * 1024


async def send(
    channel: grpc.aio.Channel,
    method: str,
    message: bytes,
    compression: grpc.Compression = grpc.Compression.NoCompression,
) -> grpc.aio.AioRpcError:
    """Sends raw bytes without a token, and returns the error."""
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        method, request_serializer=bytes, response_deserializer=bytes
    )
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call(message, timeout=60, compression=compression)
    return failure.value


def memory_of(stack: LocalStack, service: str) -> int:
    """Returns the resident memory of a service's processes, in bytes."""
    replicas = [process for name, process in stack.processes.items() if name.startswith(f"{service}-")]
    assert replicas
    return sum(psutil.Process(process.pid).memory_info().rss for process in replicas)


@pytest.mark.parametrize(("service", "method"), [("auth", SIGN_IN), ("chat", LIST_MESSAGES)])
async def test_a_few_bytes_that_unpack_to_megabytes_take_no_memory(
    stack: LocalStack, service: str, method: str
) -> None:
    """20 calls at once, of 15 KiB each, that unpack to 15 MiB each."""
    bomb = auth_pb2.SignInRequest(email="a" * (15 * MEBIBYTE)).SerializeToString()
    before = memory_of(stack, service)
    options = (("grpc.max_send_message_length", -1),)
    async with grpc.aio.insecure_channel(stack.grpc_target, options=options) as channel:
        errors = await asyncio.gather(*(send(channel, method, bomb, grpc.Compression.Gzip) for _ in range(20)))
    assert {error.code() for error in errors} == {grpc.StatusCode.UNIMPLEMENTED}
    assert memory_of(stack, service) - before < 30 * MEBIBYTE


async def test_a_large_request_without_a_token_is_not_decoded(channel: grpc.aio.Channel) -> None:
    message = auth_pb2.SignInRequest(email="a" * MAX_ANONYMOUS_REQUEST_BYTES).SerializeToString()
    error = await send(channel, SIGN_IN, message)
    assert (error.code(), from_rpc_error(error).reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_TOO_LARGE")


async def test_the_token_is_checked_before_the_request_is_decoded(channel: grpc.aio.Channel) -> None:
    assert (await send(channel, LIST_MESSAGES, b"\xff")).code() is grpc.StatusCode.UNAUTHENTICATED
