"""The whole path: from a post until its score is visible, and until the webhook it causes is received.

In: a stage, a rate. Out: a `Path`. Refuses to wait for its own answers: events are sent when they are due,
and times run from then, so that queues on our side count too.

The traffic is page views of 5,000 visitors; among them, ten times a second, somebody identifies and a second
later asks for a demo by a form, which qualifies them: the router's webhook for that stage is waited for.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path as FilePath
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import asyncpg

from benchmarks import traffic
from benchmarks.load import quantile
from benchmarks.receiver import Receiver
from benchmarks.stage import Setting, Stage, service, setting
from benchmarks.wire import Wire, basic, request
from services.cli.local.process import until
from shared import ids

_VISITORS: Final = 5_000
_WIRES: Final = 128
_JOURNEYS_PER_S: Final = 10
_SECOND_THOUGHT_S: Final = 1.0
_WARM_S: Final = 3.0
_PROBES_PER_S: Final = 20
_PROBE_S: Final = 0.005
_DRAIN_S: Final = 15.0
# Who cannot take the rate is not waited for: what was not sent by then is left out, and the figure says so.
_LATE_S: Final = 5.0
_SOURCE: Final = "product"

_ROUTING: Final = """
version: 1
destinations:
  - name: crm
    kind: webhook
    url: ${LEADSCORE_CRM_WEBHOOK_URL}
    secrets: ["${LEADSCORE_WEBHOOK_SECRET}"]
    allow_networks: [127.0.0.0/8]
    allow_http: true
routes:
  - name: qualified
    when: {stage: [mql, sql]}
    to: [crm]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Times in milliseconds from the moment a post was due.

    sent_per_s:  what really went out, to compare with the rate
    webhooks:    posts whose webhook was awaited; `missing` of them did not come in time
    peak_bytes:  service → most memory it had
    """

    rate: int
    sent_per_s: float
    refused: int
    score_p50_ms: float
    score_p99_ms: float
    webhook_p50_ms: float
    webhook_p99_ms: float
    probes: int
    webhooks: int
    missing: int
    peak_bytes: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One request and when to send it, in seconds from the beginning.

    probe:    its event's id, if its score is looked for
    journey:  the user whose webhook it causes
    """

    at: float
    request: bytes
    probe: UUID | None = None
    journey: str = ""


@dataclass(slots=True)
class Notes:
    """What happened when (time.perf_counter)."""

    posted: dict[UUID, float] = field(default_factory=dict)
    visible: dict[UUID, float] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)
    sent: int = 0
    refused: int = 0


async def measure(on: Stage, rates: Sequence[int], seconds: float) -> tuple[Path, ...]:
    """Offer so many events per second, for a time each, to ingest, scorer and router."""
    receiver = Receiver()
    hook = await receiver.start()
    within = await setting(on, "path", router_environment(on, hook))
    names = ("ingest", "scorer", "router")
    try:
        async with AsyncExitStack() as running:
            services = {name: await running.enter_async_context(service(within, name)) for name in names}
            paths = []
            for rate in rates:
                notes = Notes()
                plan = list(schedule(rate, seconds, on.secrets["LEADSCORE_KEY_PRODUCT"]))
                elapsed = await _run(plan, services["ingest"].port, within, notes)
                await until(partial(_all_received, receiver, notes), _DRAIN_S)
                peaks = {name: each.peak_bytes() for name, each in services.items()}
                paths.append(_result(rate, notes, receiver, elapsed, peaks))
            return tuple(paths)
    finally:
        await receiver.stop()


def schedule(rate: int, seconds: float, key: str) -> Iterator[Due]:
    """Everything to send, in order of time; the first seconds warm up and are not looked at."""
    yield from sorted((*_visits(rate, seconds, key), *_journeys(rate, seconds, key)), key=lambda due: due.at)


def _visits(rate: int, seconds: float, key: str) -> Iterator[Due]:
    """Page views at the rate, less what journeys send; some are probes."""
    views = max(1, rate - 2 * _JOURNEYS_PER_S)
    every = max(1, views // _PROBES_PER_S)
    headers = basic(key)
    for number in range(int((_WARM_S + seconds) * views)):
        view = traffic.visit(number, leads=_VISITORS, prefix=f"path{rate}")
        at = number / views
        looked = number % every == 0 and at >= _WARM_S
        yield Due(
            at=at,
            request=request("/v1/page", traffic.body(view), headers),
            probe=ids.event_id(_SOURCE, view["messageId"]) if looked else None,
        )


def _journeys(rate: int, seconds: float, key: str) -> Iterator[Due]:
    """Identify, and a second later a demo request."""
    for number in range(int((_WARM_S + seconds - _SECOND_THOUGHT_S) * _JOURNEYS_PER_S)):
        person = f"path{rate}-{number}"
        at = number / _JOURNEYS_PER_S
        yield Due(at=at, request=request("/v1/identify", traffic.body(traffic.identify(person)), basic(key)))
        form = {"email": f"{person}@company.example", "anonymous_id": f"{person}-cookie", "_id": person}
        yield Due(
            at=at + _SECOND_THOUGHT_S,
            request=request(
                "/v1/forms/demo-request",
                urlencode(form).encode(),
                {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            ),
            journey=person if at >= _WARM_S else "",
        )


def router_environment(on: Stage, hook: int) -> dict[str, str]:
    """A routing.yaml that sends to our receiver."""
    routing: FilePath = on.folder / "routing.yaml"
    routing.write_text(_ROUTING)
    return {
        "LEADSCORE_ROUTER_ROUTING_FILE": str(routing),
        "LEADSCORE_CRM_WEBHOOK_URL": f"http://127.0.0.1:{hook}/",
    }


async def _run(plan: list[Due], port: int, within: Setting, notes: Notes) -> float:
    """Send the plan on many connections and look for probes; return the seconds it took."""
    wires = [await Wire.connect("127.0.0.1", port) for _ in range(_WIRES)]
    looking = asyncio.create_task(_look(within, notes))
    due = iter(plan)
    begin = time.perf_counter()
    latest = begin + plan[-1].at + _LATE_S

    async def drive(wire: Wire) -> None:
        for each in due:
            if time.perf_counter() > latest:
                return
            await _send(wire, each, begin, notes)

    await asyncio.gather(*(drive(wire) for wire in wires))
    elapsed = time.perf_counter() - begin
    for wire in wires:
        wire.close()
    await until(lambda: len(notes.visible) == len(notes.posted), _DRAIN_S)
    looking.cancel()
    return elapsed


async def _send(wire: Wire, due: Due, begin: float, notes: Notes) -> None:
    at = begin + due.at
    if (early := at - time.perf_counter()) > 0:
        await asyncio.sleep(early)
    if due.probe is not None:
        notes.posted[due.probe] = at
    if due.journey:
        notes.asked[due.journey] = at
    notes.sent += 1
    notes.refused += await wire.post(due.request) >= 400


async def _look(within: Setting, notes: Notes) -> None:
    """Note when each posted probe is in the events table: its score is committed with it."""
    connection = await asyncpg.connect(within.database)
    statement = await connection.prepare("SELECT event_id FROM events WHERE event_id = ANY($1::uuid[])")
    try:
        while True:
            await asyncio.sleep(_PROBE_S)
            waiting = [probe for probe in notes.posted if probe not in notes.visible]
            for row in await statement.fetch(waiting) if waiting else ():
                notes.visible[UUID(str(row["event_id"]))] = time.perf_counter()
    finally:
        await connection.close()


def _all_received(receiver: Receiver, notes: Notes) -> bool:
    return notes.asked.keys() <= _received(receiver).keys()


def _received(receiver: Receiver) -> dict[str, float]:
    """User → when the first webhook about them came."""
    first: dict[str, float] = {}
    for at, body in receiver.hits:
        first.setdefault(json.loads(body)["data"]["person"].get("user_id", ""), at)
    return first


def _result(rate: int, notes: Notes, receiver: Receiver, elapsed: float, peaks: dict[str, int]) -> Path:
    received = _received(receiver)
    scored = [at - notes.posted[probe] for probe, at in notes.visible.items()]
    told = [received[user] - at for user, at in notes.asked.items() if user in received]
    return Path(
        rate=rate,
        sent_per_s=notes.sent / elapsed,
        refused=notes.refused,
        score_p50_ms=quantile(scored, 0.5) * 1000,
        score_p99_ms=quantile(scored, 0.99) * 1000,
        webhook_p50_ms=quantile(told, 0.5) * 1000,
        webhook_p99_ms=quantile(told, 0.99) * 1000,
        probes=len(notes.posted),
        webhooks=len(notes.asked),
        missing=len(notes.asked) - len(told) + len(notes.posted) - len(scored),
        peak_bytes=peaks,
    )
