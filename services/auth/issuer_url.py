"""Which addresses a key set is fetched from: https, or http on loopback for a CRM on the same machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_key_set_url(url: str) -> bool:
    """Whether Parley would fetch a key set from an address."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or port == 0 or parts.username is not None or parts.password is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
