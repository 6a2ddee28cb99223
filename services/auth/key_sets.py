"""Fetches and caches the public keys of trusted issuers.

An organization's administrator chooses the address, so a fetch is restricted: https only (http on loopback), no
redirects, no proxy from the environment, no compressed bodies, a time limit and a size limit, and no part of the
response is ever shown. A token with an unknown key id triggers another fetch, but only every few seconds, because such
tokens cost nothing to make.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from chassis.errors import UnavailableError
from chassis.process.logs import logger
from services.auth.domain import Algorithm

_MAX_BYTES: Final = 256 * 1024
_MAX_KEYS: Final = 100
_MAX_SETS: Final = 1_000
_MIN_RSA_BITS: Final = 2_048  # RFC 7518, section 3.3
_OK: Final = 200

_log = logger("key_sets")


class FetchError(Exception):
    """A key set can't be fetched. The message has the reason, and nothing of the response."""


class _KeySet:
    """The cached keys of one address."""

    def __init__(self) -> None:
        self.keys: Sequence[Key] = ()
        self.fetched_at = float("-inf")
        self.tried_at = float("-inf")
        self.fetching = asyncio.Lock()


class KeySets:
    """Fetches and caches key sets.

    Args:
        client: the HTTP client, which is not closed here.
        now: monotonic or Unix seconds.
        keep_seconds: how long a set is cached.
        refetch_seconds: the shortest time between two fetches of a set.
        timeout_seconds: the time limit of a fetch.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        now: Callable[[], float],
        *,
        keep_seconds: float,
        refetch_seconds: float,
        timeout_seconds: float,
    ) -> None:
        self._client = client
        self._now = now
        self._keep_seconds = keep_seconds
        self._refetch_seconds = refetch_seconds
        self._timeout_seconds = timeout_seconds
        self._sets: OrderedDict[str, _KeySet] = OrderedDict()

    async def key(self, url: str, algorithm: Algorithm, key_id: str | None) -> Key | None:
        """Returns the key with an id; without an id, the only key that fits the algorithm; None if there is none.

        Raises:
            UnavailableError: ISSUER_UNAVAILABLE.
        """
        key_set = self._set_of(url)
        if not self._is_fresh(key_set):
            await self._refresh(url, key_set)
        if not self._is_fresh(key_set):
            raise UnavailableError(
                "ISSUER_UNAVAILABLE",
                "the issuer's keys are unavailable",
                retry_after_ms=int(self._refetch_seconds * 1_000),
            )
        key = _select(key_set.keys, algorithm, key_id)
        if key is None:
            await self._refresh(url, key_set)
            key = _select(key_set.keys, algorithm, key_id)
        return key

    def _set_of(self, url: str) -> _KeySet:
        key_set = self._sets.setdefault(url, _KeySet())
        self._sets.move_to_end(url)
        if len(self._sets) > _MAX_SETS:
            self._sets.popitem(last=False)
        return key_set

    def _is_fresh(self, key_set: _KeySet) -> bool:
        return self._now() - key_set.fetched_at <= self._keep_seconds

    async def _refresh(self, url: str, key_set: _KeySet) -> None:
        """Fetches a set unless that was done recently; concurrent callers share one fetch."""
        async with key_set.fetching:
            if self._now() - key_set.tried_at < self._refetch_seconds:
                return
            key_set.tried_at = self._now()
            try:
                key_set.keys = _read(await self._fetch(url))
            except FetchError as error:
                _log.warning("key_set_unavailable", why=str(error))
                return
            key_set.fetched_at = self._now()

    async def _fetch(self, url: str) -> bytes:
        if not is_key_set_url(url):
            raise FetchError("the address is not allowed")
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._client.stream("GET", url, headers=headers) as response,
            ):
                if response.status_code != _OK or "content-encoding" in response.headers:
                    raise FetchError(f"the response has status {response.status_code}, or is encoded")
                return await _body(response)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise FetchError(type(error).__name__) from error


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise FetchError("the response is too large")
    return bytes(body)


def open_client() -> httpx.AsyncClient:
    """Returns a client for fetching key sets, which the caller closes."""
    return httpx.AsyncClient(follow_redirects=False, trust_env=False, limits=httpx.Limits(max_connections=20))


def _read(body: bytes) -> Sequence[Key]:
    """Returns the usable keys of a set (RFC 7517); ignores the others, as section 5 asks."""
    try:
        documents = json.loads(body)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise FetchError("the response is not a key set") from None
    if not isinstance(documents, list):
        raise FetchError("the response is not a key set")
    return [key for document in documents[:_MAX_KEYS] if (key := _key(document)) is not None]


def _key(document: Any) -> Key | None:
    try:
        key = JWKRegistry.import_key(document)
        if isinstance(key, RSAKey) and key.public_key.key_size < _MIN_RSA_BITS:
            return None
    except (JoseError, ValueError, TypeError):
        return None
    return key


def _select(keys: Sequence[Key], algorithm: Algorithm, key_id: str | None) -> Key | None:
    fitting = [key for key in keys if _fits(key, algorithm) and (key_id is None or key.kid == key_id)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(key: Key, algorithm: Algorithm) -> bool:
    """Returns whether a key is for an algorithm, by its type and its parameters (RFC 7517, section 4)."""
    if key.get("use") not in {None, "sig"} or key.get("alg") not in {None, algorithm.value}:
        return False
    match algorithm:
        case Algorithm.RS256:
            return isinstance(key, RSAKey)
        case Algorithm.ES256:
            return isinstance(key, ECKey) and key.curve_name == "P-256"
        case Algorithm.EDDSA:
            return isinstance(key, OKPKey) and key.curve_name == "Ed25519"
        case Algorithm.HS256:
            return False


def is_key_set_url(url: str) -> bool:
    """Returns whether Parley fetches key sets from an address: https, or http on loopback."""
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
