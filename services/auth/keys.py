"""The keys that sign tokens (ES256): created, published, used, retired.

Keys are numbered. A key is created `publication` before it signs, so that all verifiers have it by then. It signs until
the next one does, and stays published until the last token that it signed has expired. The database makes numbers
unique, so any number of replicas may create the next key concurrently and end up with the same one. A key signs until
its successor does, however late: after a long outage the old key continues while the next one is published. Private
parts are sealed with the key-encryption key.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from joserfc.jwk import ECKey

from chassis.errors import UnavailableError
from chassis.identity import ALGORITHM
from chassis.process.logs import logger
from services.auth.key_store import KeyRecord, KeyStore
from services.auth.sealing import Sealer

_CURVE: Final = "P-256"
_RETIREMENT_MARGIN: Final = timedelta(minutes=5)  # for clock differences

_log = logger("keys")


@dataclass(frozen=True, slots=True)
class KeySchedule:
    """The schedule of key changes.

    Attributes:
        rotation: how long a key signs.
        publication: how long it is published before.
        token_lifetime: the lifetime of the longest-lived token that it signs.
        check: the interval of checks.
    """

    rotation: timedelta
    publication: timedelta
    token_lifetime: timedelta
    check: timedelta


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key with its private part."""

    number: int
    signs_from: datetime
    key: ECKey

    @property
    def key_id(self) -> str:
        """The key id in tokens: the key's thumbprint (RFC 7638)."""
        return str(self.key.kid)

    def __repr__(self) -> str:
        return f"SigningKey({self.number})"


class KeyRing:
    """The keys, as cached by this replica.

    Args:
        store: the stored keys.
        sealer: opens their private parts.
        now: the clock.
        schedule: the schedule of key changes.
    """

    def __init__(self, store: KeyStore, sealer: Sealer, now: Callable[[], datetime], schedule: KeySchedule) -> None:
        self._store = store
        self._sealer = sealer
        self._now = now
        self._schedule = schedule
        self._keys: tuple[SigningKey, ...] = ()
        self._jwks = ""

    async def run(self) -> None:
        """Refreshes the keys periodically until cancelled; continues while the database is unavailable."""
        while True:
            await asyncio.sleep(self._schedule.check.total_seconds())
            try:
                await self.refresh()
            except UnavailableError:
                _log.warning("keys_unreachable")

    async def reseal(self) -> None:
        """Reseals keys that were sealed under a previous key-encryption key. Raises UnsealError."""
        for record in await self._store.all():
            renewed = self._sealer.renew(record.sealed_key, _context(record.number))
            if renewed is not None:
                await self._store.replace_sealed(record, renewed)
                _log.info("key_resealed", number=record.number)

    async def refresh(self) -> None:
        """Reads the keys, creates the next one when it is due, and deletes retired ones.

        Raises:
            UnsealError: the keys were stored under another key-encryption key.
        """
        records = await self._store.all()
        due = self._next_due(records)
        if due is not None:
            await self._make(*due)
            records = await self._store.all()
        keys = self._in_use([self._open(record) for record in records])
        if keys[0].number != records[0].number:
            await self._store.delete_before(keys[0].number)
        self._keys = keys
        self._jwks = json.dumps({"keys": [key.key.as_dict(private=False) for key in keys]})

    def signing_key(self) -> SigningKey:
        """Returns the key that signs now."""
        now = self._now()
        begun = [key for key in self._keys if key.signs_from <= now]
        return begun[-1] if begun else self._keys[0]

    async def jwks(self) -> str:
        """Returns the public keys as a JSON Web Key Set; a coroutine, because verifiers expect one."""
        return self._jwks

    def _next_due(self, records: list[KeyRecord]) -> tuple[int, datetime] | None:
        """Returns the number of the key to create now, and the time from which it signs; None if no key is due."""
        now = self._now()
        if not records:
            return 1, now
        latest = records[-1]
        signs_from = latest.signs_from + self._schedule.rotation
        if now < signs_from - self._schedule.publication:
            return None
        return latest.number + 1, max(signs_from, now + self._schedule.publication)

    async def _make(self, number: int, signs_from: datetime) -> None:
        key = ECKey.generate_key(_CURVE, parameters={"alg": ALGORITHM, "use": "sig"})
        key.ensure_kid()
        private = json.dumps(key.as_dict(private=True)).encode()
        record = KeyRecord(number, str(key.kid), signs_from, self._sealer.seal(private, _context(number)))
        if await self._store.insert(record):
            _log.info("key_made", number=number, key_id=record.key_id, signs_from=signs_from.isoformat())

    def _open(self, record: KeyRecord) -> SigningKey:
        private = json.loads(self._sealer.open(record.sealed_key, _context(record.number)))
        return SigningKey(record.number, record.signs_from, ECKey.import_key(private))

    def _in_use(self, keys: list[SigningKey]) -> tuple[SigningKey, ...]:
        """Returns the keys without those whose successor has signed for longer than any token lives."""
        oldest = self._now() - self._schedule.token_lifetime - _RETIREMENT_MARGIN
        last_retired = max((index for index, key in enumerate(keys) if key.signs_from < oldest), default=0)
        return tuple(keys[last_retired:])


def _context(number: int) -> str:
    return f"signing-key/{number}"
