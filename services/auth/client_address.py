"""Whose attempts are whose: the network address that a public call came from."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from chassis.identity import caller_if_any
from chassis.rpc.interceptor import Context

_ACTING_SCOPE: Final = "users.act"
_FORWARDED: Final = "x-forwarded-for"


def client_address(claimed: str, context: Context) -> str:
    """The address of whoever is behind a call, or empty.

    A service that acts for users is believed when it names theirs. Else it is what the edge proxy saw, the last
    entry of x-forwarded-for (those before it are the caller's own claims), or without a proxy the peer itself.
    """
    service = caller_if_any()
    if claimed and service is not None and _ACTING_SCOPE in service.scopes:
        return claimed
    forwarded = [value for key, value in context.invocation_metadata() or () if key == _FORWARDED]
    if forwarded and isinstance(forwarded[-1], str):
        return forwarded[-1].rpartition(",")[2].strip()
    return host_of(context.peer())


def host_of(peer: str) -> str:
    """The host in "ipv4:127.0.0.1:50123" or "ipv6:%5B::1%5D:50123"."""
    _, _, address = unquote(peer).partition(":")
    host, _, _ = address.rpartition(":")
    return host.strip("[]")
