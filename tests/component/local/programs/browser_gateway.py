"""A stub gateway: answers WebSockets and HTTP requests with the replica's name."""

import asyncio
import os
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from websockets.asyncio.server import ServerConnection, serve

REPLICA = os.environ["PARLEY_REPLICA"]


def listen(variable: str) -> tuple[str, int]:
    address = urlsplit(f"//{os.environ[variable]}")
    assert address.hostname is not None
    assert address.port is not None
    return address.hostname, address.port


async def greet_and_echo(connection: ServerConnection) -> None:
    assert connection.request is not None
    await connection.send(f"{REPLICA} {connection.request.path}")
    async for frame in connection:
        await connection.send(frame)


async def ready(request: Request) -> Response:
    return JSONResponse({"replica": REPLICA})


async def describe(request: Request) -> Response:
    body = await request.body()
    return JSONResponse({"replica": REPLICA, "path": request.url.path, "size": len(body)})


async def main() -> None:
    routes = [Route("/readyz", ready), Route("/{path:path}", describe, methods=["GET", "POST"])]
    host, port = listen("PARLEY_HTTP_LISTEN")
    http = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), host=host, port=port, log_level="warning"))
    async with serve(greet_and_echo, *listen("PARLEY_WEBSOCKET_LISTEN")):
        await http.serve()


if __name__ == "__main__":
    asyncio.run(main())
