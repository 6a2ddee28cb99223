"""The health check, against real servers."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from deploy.docker.health import callable_address, main

Status = health_pb2.HealthCheckResponse


@contextmanager
def _grpc_server(status: int) -> Iterator[int]:
    servicer = health.HealthServicer()
    servicer.set("", status)
    server = grpc.server(ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@contextmanager
def _http_server(status: int) -> Iterator[int]:
    class Readiness(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the overridden method's name
            return

    with http.server.HTTPServer(("127.0.0.1", 0), Readiness) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def unused_port() -> Iterator[int]:
    """Yields a reserved port without a listener."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_service_that_serves_is_healthy() -> None:
    with _grpc_server(Status.SERVING) as port:
        assert main({"PARLEY_LISTEN": f"0.0.0.0:{port}"}) == 0


def test_a_health_listener_takes_precedence(unused_port: int) -> None:
    elsewhere = f"127.0.0.1:{unused_port}"
    with _grpc_server(Status.SERVING) as port:
        assert main({"PARLEY_LISTEN": elsewhere, "PARLEY_HEALTH_LISTEN": f"0.0.0.0:{port}"}) == 0
    with _http_server(200) as port:
        assert main({"PARLEY_HTTP_LISTEN": elsewhere, "PARLEY_HEALTH_LISTEN": f"0.0.0.0:{port}"}) == 0


def test_a_service_that_drains_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with _grpc_server(Status.NOT_SERVING) as port:
        assert main({"PARLEY_LISTEN": f"127.0.0.1:{port}"}) == 1
    assert "NOT_SERVING" in capsys.readouterr().err


def test_a_gateway_that_is_ready_is_healthy() -> None:
    with _http_server(200) as port:
        assert main({"PARLEY_HTTP_LISTEN": f"0.0.0.0:{port}"}) == 0


def test_a_gateway_that_is_not_ready_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with _http_server(503) as port:
        assert main({"PARLEY_HTTP_LISTEN": f"127.0.0.1:{port}"}) == 1
    assert "503" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["PARLEY_LISTEN", "PARLEY_HTTP_LISTEN"])
def test_a_port_without_a_listener_is_not_healthy(
    variable: str, unused_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main({variable: f"127.0.0.1:{unused_port}"}) == 1
    assert "no answer" in capsys.readouterr().err


def test_it_needs_a_listen_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert main({}) == 2
    assert "PARLEY_LISTEN" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("listen", "called"),
    [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.7:1", "10.0.0.7:1"), ("chat:1", "chat:1")],
)
def test_an_address_for_all_is_called_on_loopback(listen: str, called: str) -> None:
    assert callable_address(listen) == called
