"""The address of whoever calls without a proxy in between."""

from __future__ import annotations

import pytest

from services.auth.client_address import host_of


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:192.0.2.7:50123", "192.0.2.7"),
        ("ipv6:[2001:db8::1]:50123", "2001:db8::1"),
        ("ipv6:%5B::1%5D:50123", "::1"),
        ("unix:/run/parley.sock", ""),
        ("", ""),
    ],
)
def test_the_host_of_a_peer(peer: str, host: str) -> None:
    assert host_of(peer) == host
