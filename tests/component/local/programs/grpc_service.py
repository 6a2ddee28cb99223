"""A stub gRPC server: reports healthy, and describes the requests that reach it.

Unary methods answer with a JSON object of the replica, method and metadata; Subscribe, Attach and Watch... echo.
`Hang` never answers; `Unavailable` fails with UNAVAILABLE.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

STREAMS = ("Subscribe", "Attach", "Watch")


async def answer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes], method: str) -> bytes:
    if method.endswith("/Hang"):
        await asyncio.sleep(3600)
    if method.endswith("/Unavailable"):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "as asked")
    metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    return json.dumps(
        {"replica": os.environ["PARLEY_REPLICA"], "method": method, "metadata": metadata, "size": len(request)}
    ).encode()


class EveryMethod(grpc.GenericRpcHandler):
    """Serves every method except those of the health service."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Returns the handler of any method."""
        method = handler_call_details.method
        if method.startswith("/grpc.health."):
            return None
        if method.rpartition("/")[2].startswith(STREAMS):
            return grpc.stream_stream_rpc_method_handler(self._echo)

        async def unary(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            return await answer(request, context, method)

        return grpc.unary_unary_rpc_method_handler(unary)

    async def _echo(
        self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request


async def main() -> None:
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    checks = health.aio.HealthServicer()
    await checks.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    server.add_generic_rpc_handlers((EveryMethod(),))
    server.add_insecure_port(os.environ["PARLEY_LISTEN"])
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
