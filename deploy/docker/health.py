"""The image's HEALTHCHECK, `python -m deploy.docker.health`: checks whether the container's process serves.

The process's settings select the check: /readyz for a process with an HTTP interface (the gateway), grpc.health.v1 for
a gRPC service, each at the plain health listener if the process requires client certificates elsewhere. Every container
runs it every few seconds, so it imports little.
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
_LOOPBACKS: Final = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
_TIMEOUT_SECONDS: Final = 4.0
_USAGE_ERROR: Final = 2


def callable_address(listen: str) -> str:
    """Returns the address to call for a listen address: loopback for a wildcard address."""
    host, _, port = listen.rpartition(":")
    return f"{_LOOPBACKS.get(host, host)}:{port}"


def grpc_problem(target: str) -> str | None:
    """Returns None if the gRPC health service reports SERVING, otherwise the problem."""
    request = health_pb2.HealthCheckRequest()
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)  # the stub's type lists no methods
        try:
            response = health.Check(request, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return f"no answer: {error.code().name}"
    if response.status == health_pb2.HealthCheckResponse.SERVING:
        return None
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


def http_problem(target: str) -> str | None:
    """Returns None if /readyz answers 200, otherwise the problem."""
    connection = http.client.HTTPConnection(target, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {type(error).__name__}"
    finally:
        connection.close()
    return None if status == http.HTTPStatus.OK else f"/readyz answers {status}"


def main(environment: Mapping[str, str]) -> int:
    """Runs the check and prints the problem; returns the exit status: 0 if the process serves."""
    health_listen = environment.get(HEALTH_LISTEN)
    if listen := environment.get(HTTP_LISTEN):
        problem = http_problem(callable_address(health_listen or listen))
    elif listen := environment.get(GRPC_LISTEN):
        problem = grpc_problem(callable_address(health_listen or listen))
    else:
        sys.stderr.write(f"neither {HTTP_LISTEN} nor {GRPC_LISTEN} is set: nothing to check\n")
        return _USAGE_ERROR
    if problem is not None:
        sys.stderr.write(f"{health_listen or listen}: {problem}\n")
    return int(problem is not None)


if __name__ == "__main__":
    sys.exit(main(os.environ))
