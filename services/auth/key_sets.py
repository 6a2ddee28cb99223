"""The public keys of trusted issuers, fetched from where they publish them.

An address comes from an organization's administrator, so a fetch is kept harmless: https only (http on loopback), no
redirects, no proxy from the environment, no compressed bodies, a time limit, a size limit, and nothing of the answer
is ever shown. A token with an unknown key id makes the set be fetched again, though not more often than every few
seconds: such tokens cost their makers nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from chassis.errors import UnavailableError
from chassis.process.logs import logger
from services.auth.domain import Algorithm
from services.auth.issuer_url import is_key_set_url

_MAX_BYTES: Final = 256 * 1024
_MAX_KEYS: Final = 100
_MAX_SETS: Final = 1_000
_MIN_RSA_BITS: Final = 2_048  # RFC 7518, section 3.3
_OK: Final = 200

_log = logger("key_sets")


class FetchError(Exception):
    """A key set can't be had; the message says why, and holds nothing of the answer."""


class _KeySet:
    """What is known of one address."""

    def __init__(self) -> None:
        self.keys: Sequence[Key] = ()
        self.fetched_at = float("-inf")
        self.tried_at = float("-inf")
        self.fetching = asyncio.Lock()


class KeySets:
    """Fetches key sets, and keeps them for a while.

    Args:
        client: fetches; not closed here.
        now: the clock, in s.
        keep_seconds: how long a set is kept.
        refetch_seconds: how long after a fetch the next one may be.
        timeout_seconds: how long a fetch may take.
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
        """The key that a token names, or without a name the only one that fits its algorithm; None for none.

        Raises:
            UnavailableError: ISSUER_UNAVAILABLE.
        """
        key_set = self._set_of(url)
        if not self._is_fresh(key_set):
            await self._refresh(url, key_set)
        if not self._is_fresh(key_set):
            raise UnavailableError(
                "ISSUER_UNAVAILABLE",
                "the issuer's keys can't be had now",
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
        """Fetches a set, unless that was done a moment ago; one fetch serves all who wait for it."""
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
                    raise FetchError(f"the answer is {response.status_code}, or encoded")
                return await _body(response)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise FetchError(type(error).__name__) from error


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise FetchError("the answer is too large")
    return bytes(body)


def open_client() -> httpx.AsyncClient:
    """A client for fetching key sets; the caller closes it."""
    return httpx.AsyncClient(follow_redirects=False, trust_env=False, limits=httpx.Limits(max_connections=20))


def _read(body: bytes) -> Sequence[Key]:
    """The keys of a set (RFC 7517) that can verify; those that can't are passed over, as section 5 asks."""
    try:
        documents = json.loads(body)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise FetchError("the answer is not a key set") from None
    if not isinstance(documents, list):
        raise FetchError("the answer is not a key set")
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
    """Whether a key is for an algorithm: by its kind, and by what it says of itself (RFC 7517, section 4)."""
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
