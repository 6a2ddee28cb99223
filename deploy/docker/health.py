"""Whether the process in this container serves: `python -m deploy.docker.health`, for the image's HEALTHCHECK.

What it asks follows from what the process was told: one with an HTTP interface (the gateway) is ready by /readyz, one
that serves gRPC by grpc.health.v1; a process that wants certificates everywhere else is asked where it tells health
alone. Every container runs it every few seconds, so it imports little.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

HTTP_LISTEN: Final = "PARLEY_HTTP_LISTEN"
GRPC_LISTEN: Final = "PARLEY_LISTEN"
HEALTH_LISTEN: Final = "PARLEY_HEALTH_LISTEN"
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
_SECONDS: Final = 4.0
_USAGE: Final = 2


def reachable(listen: str) -> str:
    """Where to call what listens there: an address that stands for all of them can't be called."""
    host, _, port = listen.rpartition(":")
    return f"{_EVERYWHERE.get(host, host)}:{port}"


def grpc_problem(target: str) -> str | None:
    """What a service's health service says, unless that it serves."""
    request = health_pb2.HealthCheckRequest()
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)  # its stubs know no methods
        try:
            answer = health.Check(request, timeout=_SECONDS)
        except grpc.RpcError as error:
            return f"no answer: {error.code().name}"
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return None
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def http_problem(target: str) -> str | None:
    """What /readyz says, unless that it is ready."""
    connection = http.client.HTTPConnection(target, timeout=_SECONDS)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {type(error).__name__}"
    finally:
        connection.close()
    return None if status == http.HTTPStatus.OK else f"/readyz says {status}"


def main(environment: Mapping[str, str]) -> int:
    """Asks, and says what is wrong; returns the exit status: 0 for a process that serves."""
    apart = environment.get(HEALTH_LISTEN)
    if listen := environment.get(HTTP_LISTEN):
        problem = http_problem(reachable(apart or listen))
    elif listen := environment.get(GRPC_LISTEN):
        problem = grpc_problem(reachable(apart or listen))
    else:
        sys.stderr.write(f"neither {HTTP_LISTEN} nor {GRPC_LISTEN} is set: there is nothing to ask\n")
        return _USAGE
    if problem is not None:
        sys.stderr.write(f"{apart or listen}: {problem}\n")
    return int(problem is not None)


if __name__ == "__main__":
    sys.exit(main(os.environ))
