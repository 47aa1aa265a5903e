"""Senders that never give up: batches at a rate, each posted until it is acknowledged.

In: ingest's port, a rate. Out: how many events are acknowledged; event n has the message id `soak-n`, so that
afterwards it is known which have to be there. Refuses to skip one: an answer other than 200, and a connection
that breaks or stays silent, mean the same batch once more, as in every SDK.

Who they are: a visitor comes, sends 40 events among those of 2,000 others, and is not seen again. Every tenth
says who it is, and every fiftieth asks for a demo, which qualifies it: the webhook is told.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks import traffic
from benchmarks.wire import Wire, basic, request
from tests.installation import PRODUCT_KEY

BATCH: Final = 50
_WIRES: Final = 8
_ANSWER_S: Final = 15.0
_AGAIN_S: Final = 0.2
_AT_ONCE: Final = 2_000
_VISITS: Final = 40
_SAYS_WHO: Final = 10
_ASKS: Final = 20


def message(number: int) -> str:
    """The message id of the n-th event."""
    return f"soak-{number}"


def event(number: int) -> dict[str, Any]:
    """The n-th event: of which visitor, and which of its forty."""
    wave, place = divmod(number, _AT_ONCE * _VISITS)
    visit, who = divmod(place, _AT_ONCE)
    person = wave * _AT_ONCE + who
    name = f"soak-{person}"
    if visit == _SAYS_WHO and person % 10 == 0:
        return {**traffic.identify(name), "messageId": message(number)}
    made = {**traffic.visit(number, leads=1), "messageId": message(number), "anonymousId": f"{name}-cookie"}
    if visit == _ASKS and person % 50 == 0:
        asked = {"type": "track", "event": "form.submitted", "properties": {"form": "demo-request"}}
        return {**made, **asked, "userId": name}
    return made


@dataclass(slots=True)
class Senders:
    """Eight connections.

    acknowledged:  events with a 200: exactly those with the numbers below, once nothing is on its way
    refused:       posts answered otherwise, or not at all
    longest_s:     the longest time until a batch was acknowledged
    """

    port: int
    acknowledged: int = 0
    refused: int = 0
    longest_s: float = 0.0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def send_for(self, seconds: float, rate: float = 0.0) -> None:
        """Send so many events a second for so long; without a rate as many as are taken.

        Batches that fell due while nothing was taken are sent afterwards.
        """
        begin = time.monotonic()
        turns = itertools.count()
        await asyncio.gather(*(self._drive(turns, begin, seconds, rate) for _ in range(_WIRES)))

    async def _drive(self, turns: Iterator[int], begin: float, seconds: float, rate: float) -> None:
        line = _Line(self.port)
        while True:
            due = begin + next(turns) * BATCH / rate if rate else time.monotonic()
            if due - begin >= seconds:
                break
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            await self._post(line)
        line.close()

    async def _post(self, line: "_Line") -> None:
        """The next batch, again and again until it is acknowledged."""
        batch = next(self._numbers)
        events = [event(number) for number in range(batch * BATCH, (batch + 1) * BATCH)]
        body = request("/v1/batch", traffic.batch(events), basic(PRODUCT_KEY))
        began = time.monotonic()
        while await line.post(body) != 200:
            self.refused += 1
            await asyncio.sleep(_AGAIN_S)
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        self.acknowledged += BATCH


class _Line:
    """A connection that is opened anew when it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._wire: Wire | None = None

    async def post(self, body: bytes) -> int:
        """The status of the answer; 0 if there was none."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                self._wire = self._wire or await Wire.connect("127.0.0.1", self._port)
                return await self._wire.post(body)
        except (OSError, TimeoutError):
            self.close()
            return 0

    def close(self) -> None:
        if self._wire:
            self._wire.close()
        self._wire = None
