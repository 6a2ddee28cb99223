"""What becomes of requests when something goes wrong on our side of the door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
from starlette.types import ASGIApp

from chassis.identity import TokenVerifier
from gateway.rest.app import routes
from gateway.rest.endpoint import Endpoint
from gateway.rest.middleware import RequestMiddleware
from gateway.rest.operation import Call, Operation
from gateway.wire.json_objects import Object


async def no_keys() -> str:
    raise AssertionError("nothing here takes a token")


def operation(method: str, handler: Callable[[Call], Awaitable[Object]]) -> Operation:
    return Operation(method, "/thing", "thing", "A thing.", handler, {}, public=True)


@asynccontextmanager
async def client_of(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test.example") as client:
        yield client


async def test_an_unexpected_error_is_answered_with_an_incident() -> None:
    async def fail(_call: Call) -> Object:
        raise RuntimeError("a secret")

    async with client_of(RequestMiddleware(Endpoint([operation("GET", fail)], TokenVerifier(no_keys)))) as client:
        response = await client.get("/thing")
    assert response.status_code == 500
    assert "incident" in response.json()["error"]["message"]
    assert "secret" not in response.text
    assert response.headers["x-request-id"]


async def test_requests_beyond_the_bound_get_a_time_to_retry() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_call: Call) -> Object:
        begun.set()
        await go_on.wait()
        return {}

    app = RequestMiddleware(Endpoint([operation("GET", wait)], TokenVerifier(no_keys)), max_in_flight=1)
    async with client_of(app) as client, asyncio.TaskGroup() as group:
        first = group.create_task(client.get("/thing"))
        await begun.wait()
        refused = await client.get("/thing")
        go_on.set()
        assert (await first).status_code == 200
        assert (await client.get("/thing")).status_code == 200
    assert refused.status_code == 429
    assert refused.json()["error"]["reason"] == "OVERLOADED"
    assert refused.headers["retry-after"] == "1"


async def test_paths_without_parameters_are_tried_before_those_with() -> None:
    async def nothing(_call: Call) -> Object:
        return {}

    paths = ["/a/{id}", "/a/me", "/a/{id}/b", "/a", "/a/{id}:end"]
    operations = [Operation("GET", path, path, path, nothing, {}, public=True) for path in paths]
    ordered = [route.path for route in routes(operations, TokenVerifier(no_keys))]
    assert ordered.index("/a/me") < ordered.index("/a/{id}")
    assert ordered.index("/a/{id}:end") < ordered.index("/a/{id}")
    assert sorted(ordered) == sorted(paths)
