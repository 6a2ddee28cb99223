"""Creates organizations and users, and kills processes, for the tests in Node. HTTP on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.local.stack import LocalStack
from tests.e2e.conftest import PASSWORD, Company, new_company


@asynccontextmanager
async def controlling(stack: LocalStack) -> AsyncIterator[str]:
    """Serves while the context is open; yields the address."""
    async with AsyncExitStack() as companies:
        control = _Control(stack, companies)
        routes = [
            Route("/companies", control.company, methods=["POST"]),
            Route("/users", control.user, methods=["POST"]),
            Route("/roles", control.role, methods=["POST"]),
            Route("/kill", control.kill, methods=["POST"]),
            Route("/stop", control.stop, methods=["POST"]),
        ]
        config = uvicorn.Config(Starlette(routes=routes), port=0, lifespan="off", log_config=None, log_level="error")
        server = _Server(config)
        serving = asyncio.create_task(server.serve())
        try:
            while not server.started:
                await asyncio.sleep(0.02)
            port = server.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Control:
    def __init__(self, stack: LocalStack, open_companies: AsyncExitStack) -> None:
        self._stack = stack
        self._open = open_companies
        self._companies: dict[str, Company] = {}

    async def company(self, _: Request) -> Response:
        """Creates an organization."""
        company = await self._open.enter_async_context(new_company(self._stack))
        self._companies[company.organization_id] = company
        return JSONResponse({"organizationId": company.organization_id})

    async def user(self, request: Request) -> Response:
        """Creates a user of an organization."""
        asked = await request.json()
        email = await self._companies[asked["organizationId"]].create_user(asked["userId"], asked["role"])
        return JSONResponse({"email": email, "password": PASSWORD})

    async def role(self, request: Request) -> Response:
        """Changes the role of a user."""
        asked = await request.json()
        await self._companies[asked["organizationId"]].change_role(asked["userId"], asked["role"])
        return JSONResponse({})

    async def kill(self, request: Request) -> Response:
        """Kills a process, and restarts it."""
        process = self._stack.processes[(await request.json())["process"]]
        process.kill()
        await process.wait_stopped()
        return await self._start_again(request)

    async def stop(self, request: Request) -> Response:
        """Stops a process as an operator does, and restarts it."""
        process = self._stack.processes[(await request.json())["process"]]
        await process.stop()
        return await self._start_again(request)

    async def _start_again(self, request: Request) -> Response:
        process = self._stack.processes[(await request.json())["process"]]
        await process.start()
        await process.wait_healthy()
        return JSONResponse({})
