"""Calls to AuthService wait out its start, within a deadline that concurrent callers share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from parley.auth.v1 import auth_pb2

from chassis.errors import PermissionDeniedError, UnavailableError
from chassis.rpc.channel import ServiceTokens, bearer, fetch_keys, open_channel
from deploy.local.ports import PortClaims


class ScriptedAuth:
    """The two methods of AuthService that processes call at start; they fail a number of times before they answer."""

    def __init__(self, failures: int, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self.failures = failures
        self.code = code
        self.calls = 0
        self.token_seconds = 3_600.0

    async def _answer(self, context: Any) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            await context.abort(self.code, "not now")

    async def ListKeys(self, request: Any, context: Any) -> auth_pb2.ListKeysResponse:
        await self._answer(context)
        return auth_pb2.ListKeysResponse(jwks="{}")

    async def IssueServiceToken(self, request: Any, context: Any) -> auth_pb2.IssueServiceTokenResponse:
        await self._answer(context)
        response = auth_pb2.IssueServiceTokenResponse(access_token=f"token-{self.calls}")
        response.expire_time.FromSeconds(int(time.time() + self.token_seconds))
        return response


def _handler(method: Any, request: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        method, request_deserializer=request.FromString, response_serializer=lambda message: message.SerializeToString()
    )


@asynccontextmanager
async def serving_auth(auth: ScriptedAuth, port: int) -> AsyncIterator[None]:
    """Serves AuthService while the context is open."""
    server = grpc.aio.server()
    handlers = {
        "ListKeys": _handler(auth.ListKeys, auth_pb2.ListKeysRequest),
        "IssueServiceToken": _handler(auth.IssueServiceToken, auth_pb2.IssueServiceTokenRequest),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("parley.auth.v1.AuthService", handlers)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


@pytest.fixture
def port() -> Any:
    """A free port."""
    claims = PortClaims()
    yield claims.claim_any()
    claims.release()


@pytest.fixture
async def channel(port: int) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the port."""
    async with open_channel(f"127.0.0.1:{port}") as opened:
        yield opened


async def test_a_token_is_issued_after_auth_was_unavailable(port: int, channel: grpc.aio.Channel) -> None:
    auth = ScriptedAuth(failures=3)
    async with serving_auth(auth, port):
        assert await ServiceTokens(channel, "tests", "secret").metadata() == bearer("token-4")


async def test_a_call_made_before_auth_starts_succeeds_once_it_has(port: int, channel: grpc.aio.Channel) -> None:
    tokens = ServiceTokens(channel, "tests", "secret")
    waiting = [asyncio.create_task(tokens.metadata()), asyncio.create_task(fetch_keys(channel))]
    await asyncio.sleep(0.5)
    assert not any(task.done() for task in waiting)
    async with serving_auth(ScriptedAuth(failures=0), port):
        await asyncio.gather(*waiting)


async def test_a_refusal_is_raised_at_once(port: int, channel: grpc.aio.Channel) -> None:
    auth = ScriptedAuth(failures=100, code=grpc.StatusCode.PERMISSION_DENIED)
    async with serving_auth(auth, port):
        with pytest.raises(PermissionDeniedError):
            await ServiceTokens(channel, "tests", "secret").metadata()
        with pytest.raises(PermissionDeniedError):
            await fetch_keys(channel)
    assert auth.calls == 2


async def test_concurrent_callers_share_one_deadline_and_its_error(channel: grpc.aio.Channel) -> None:
    tokens = ServiceTokens(channel, "tests", "secret", timeout_seconds=1.0)
    began = time.monotonic()
    errors = await asyncio.gather(*(tokens.metadata() for _ in range(20)), return_exceptions=True)
    assert all(isinstance(error, UnavailableError) for error in errors)
    assert time.monotonic() - began < 5.0
    with pytest.raises(UnavailableError):
        await fetch_keys(channel, timeout_seconds=0.2)


async def test_a_token_that_is_still_valid_is_used_without_delay(port: int, channel: grpc.aio.Channel) -> None:
    auth = ScriptedAuth(failures=0)
    auth.token_seconds = 60.0  # within the time in which a token is renewed
    tokens = ServiceTokens(channel, "tests", "secret")
    async with serving_auth(auth, port):
        assert await tokens.metadata() == bearer("token-1")
        auth.failures = 100
        assert await tokens.metadata() == bearer("token-1")
        assert auth.calls == 2
        auth.failures = 0
        assert await tokens.metadata() == bearer("token-3")


async def test_each_organization_has_its_own_token(port: int, channel: grpc.aio.Channel) -> None:
    auth = ScriptedAuth(failures=0)
    async with serving_auth(auth, port):
        tokens = ServiceTokens(channel, "tests", "secret")
        issued = await asyncio.gather(*(tokens.metadata(name) for name in ("a", "b", "a", "b")))
    assert issued[0] == issued[2] != issued[1] == issued[3]
    assert auth.calls == 2
