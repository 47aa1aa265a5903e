"""Load on one URL, from a process of its own: as fast as it goes, or at a given rate.

In: a `Spec` as JSON on stdin (it has a key in it, which argv would show). Out: a `Load` as JSON on stdout.
Refuses to run longer than it says.

At a rate, an event's time runs from when it was due and not from when it was sent: a server that stalls is
charged for everybody who waits.

    python -m benchmarks.load <<< '{"port": 8090, "key": "…", "connections": 32, "seconds": 5, "events": 1}'
"""

import asyncio
import math
import sys
import time
from collections.abc import Iterator
from itertools import count

import msgspec
import uvloop

from benchmarks import traffic
from benchmarks.wire import Wire, basic, request

_LEADS = 5_000
_PREPARED = 2_000


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What to send.

    events:  in each request; 1 posts to /v1/page, more to /v1/batch
    rate:    requests per second to offer; 0: as many as it takes
    """

    port: int
    key: str
    connections: int
    seconds: float
    events: int
    rate: float = 0.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; times in milliseconds."""

    requests: int
    errors: int
    events_per_s: float
    p50_ms: float
    p99_ms: float


async def load(spec: Spec) -> Load:
    """Send until the time is over, on all connections at once."""
    requests = _requests(spec)
    numbers = count()
    wires = [await Wire.connect("127.0.0.1", spec.port) for _ in range(spec.connections)]
    begin = time.perf_counter()
    taken: list[float] = []
    failed: list[int] = []

    async def drive(wire: Wire) -> None:
        while True:
            number = next(numbers)
            # From zero, and only then on the clock: adding first would round differently at every uptime.
            due_s = number / spec.rate if spec.rate else time.perf_counter() - begin
            if due_s >= spec.seconds:
                return
            due = begin + due_s
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            status = await wire.post(requests[number % len(requests)])
            taken.append(time.perf_counter() - due)
            if status != 200:
                failed.append(status)

    await asyncio.gather(*(drive(wire) for wire in wires))
    elapsed = time.perf_counter() - begin
    for wire in wires:
        wire.close()
    succeeded = len(taken) - len(failed)
    return Load(
        requests=len(taken),
        errors=len(failed),
        events_per_s=succeeded * spec.events / elapsed,
        p50_ms=quantile(taken, 0.5) * 1000,
        p99_ms=quantile(taken, 0.99) * 1000,
    )


def quantile(values: list[float], share: float) -> float:
    """The value that this share of all does not exceed (nearest rank); 0 of nothing."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)] if values else 0.0


def _requests(spec: Spec) -> list[bytes]:
    """Ready requests to send in turn: making them would cost more than sending them."""
    return list(_made(spec))


def _made(spec: Spec) -> Iterator[bytes]:
    for number in range(_PREPARED // spec.events):
        first = number * spec.events
        events = [traffic.visit(first + each, leads=_LEADS) for each in range(spec.events)]
        if spec.events == 1:
            yield request("/v1/page", traffic.body(events[0]), basic(spec.key))
        else:
            yield request("/v1/batch", traffic.batch(events), basic(spec.key))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(
            msgspec.json.encode(runner.run(load(msgspec.json.decode(sys.stdin.read(), type=Spec)))).decode()
        )
