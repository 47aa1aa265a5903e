"""Wake up at once when there is something to do.

In: NOTIFY from the scorer, rings from our own parts. Out: `Bell`s that loops wait on.
Refuses to be relied on: a notification can be lost (a reconnect, a pooler), so every loop also looks by
itself after its poll interval. That is the truth; this is only speed.
"""

import asyncio
from typing import Any, Final

import asyncpg

from shared.leads.transition_row import CHANNEL
from shared.telemetry import log

_RECONNECT_S: Final = 1.0
# A connection that died without a word (a firewall's idle limit) is found out by asking.
_PROBE_S: Final = 15.0


class Bell:
    """Rings from anywhere, wakes the one loop that waits; rings before the wait count too."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when rung, or after the timeout.

        Not asyncio.wait_for: on Python 3.11 it swallows a cancellation that comes with the ring.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        except TimeoutError:
            return
        finally:
            self._rung.clear()


class Ear:
    """Listens on Postgres and rings; connects again by itself for ever."""

    def __init__(self, url: str, bell: Bell) -> None:
        self._url = url
        self._bell = bell
        self._lost = asyncio.Event()

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log("router.listen_lost", level="warning", error=type(error).__name__)
            await asyncio.sleep(_RECONNECT_S)

    async def _listen(self) -> None:
        """Listen on one connection until it is lost."""
        self._lost.clear()
        connection = await asyncpg.connect(
            self._url, timeout=5, server_settings={"application_name": "leadscore-router-listen"}
        )
        try:
            connection.add_termination_listener(self._on_lost)
            await connection.add_listener(CHANNEL, self._on_notify)
            self._bell.ring()  # what was notified while nobody listened
            log("router.listening")
            while not self._lost.is_set():
                await self._probe(connection)
        finally:
            connection.terminate()

    async def _probe(self, connection: Any) -> None:
        """Wait a while or until the connection ends, then ask whether it is still there."""
        try:
            async with asyncio.timeout(_PROBE_S):
                await self._lost.wait()
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=5)

    def _on_notify(self, *_: Any) -> None:
        self._bell.ring()

    def _on_lost(self, _: Any) -> None:
        self._lost.set()
