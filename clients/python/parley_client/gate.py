"""Waiting for the client to be ready, as often as it takes, or to learn that it never will be."""

import asyncio

from parley_client.errors import ClientError


class ReadyLatch:
    """Open while the client is ready."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._open = False
        self._error: ClientError | None = None

    @property
    def is_open(self) -> bool:
        """Whether the client is ready now."""
        return self._open

    def open(self) -> None:
        """The client is ready."""
        self._open = True
        self._changed.set()

    def shut(self) -> None:
        """The client is not ready now."""
        self._open = False

    def fail(self, error: ClientError) -> None:
        """The client will not be ready any more."""
        self._open = False
        self._error = error
        self._changed.set()

    async def wait(self) -> None:
        """Waits until the gate is open; raises the error when it has failed."""
        while not self._open:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
