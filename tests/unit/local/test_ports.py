"""Ports belong to one stack from the moment they are chosen."""

import os
import socket
from collections.abc import Iterator

import pytest

from deploy.local.errors import StackError
from deploy.local.ports import PortClaims


@pytest.fixture
def claims() -> Iterator[PortClaims]:
    """Yields one stack's claims."""
    claims = PortClaims()
    yield claims
    claims.release()


def test_ports_are_free_and_differ(claims: PortClaims) -> None:
    ports = [claims.claim_any() for _ in range(50)]
    assert len(set(ports)) == 50
    for port in ports:
        # As servers do: connections of an earlier one may linger on the port.
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_a_port_claimed_by_one_stack_is_taken_for_others_before_anyone_listens(claims: PortClaims) -> None:
    port = claims.claim_any()
    with pytest.raises(StackError, match=f"Port {port} is taken"):
        PortClaims().claim(port)


def test_a_released_port_can_be_claimed_again(claims: PortClaims) -> None:
    port = claims.claim_any()
    claims.release()
    claims.release()
    assert claims.claim(port) == port


def test_a_port_with_a_listener_is_refused_and_its_owner_named(claims: PortClaims) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StackError, match=rf"Port {port} is taken by .*\(process {os.getpid()}\).*--port"):
            claims.claim(port)


def test_a_port_shared_by_reuse_is_refused_as_well(claims: PortClaims) -> None:
    # gRPC servers set this by default: a second one would bind and get half of the connections.
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(StackError, match="is taken"):
            claims.claim(listener.getsockname()[1])


def test_a_listener_on_all_addresses_counts(claims: PortClaims) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener, pytest.raises(StackError, match="is taken"):
        claims.claim(listener.getsockname()[1])
