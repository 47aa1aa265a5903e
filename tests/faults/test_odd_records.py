"""Rows 14 to 17 of the fault matrix: poison of all kinds, nothing but poison, duplicates, any order."""

from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from services.scorer.poison import CONSECUTIVE
from shared.codec import encode
from tests.books import balanced
from tests.faults.aftermath import all_is_well, told_twice, worked_off
from tests.faults.raw import PARTITIONS, everything, produce
from tests.faults.report import Row
from tests.faults.seed import ROUNDS
from tests.faults.traffic import Traffic, any_time, flowing
from tests.installation import Installation
from tests.scorer.conftest import event
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(240 + 60 * ROUNDS)]


def changed(**fields: Any) -> bytes:
    """An event as ingest writes it, with some fields otherwise."""
    written = msgspec.json.decode(encode(event(str(uuid4()), anonymous_id="poison")))
    return msgspec.json.encode({**written, **fields})


def with_text(inserted: bytes) -> bytes:
    """An event in whose properties these bytes stand as they are."""
    return changed(properties={"n": "HERE"}).replace(b'"HERE"', inserted)


_DEEP: Final = b'{"a":' * 50_000 + b"1" + b"}" * 50_000


def poison() -> Mapping[str, bytes | None]:
    """One record of each kind that cannot be counted."""
    return {
        "no JSON": b'{"event_id": ',
        "no object": b"[1, 2, 3]",
        "nothing": b"",
        "no value": None,
        "a megabyte of nothing": b"x" * 1_000_000,
        "NUL bytes": b"\x00" * 100,
        "not UTF-8": with_text(b'"\xff\xfe"'),
        "NaN": with_text(b"NaN"),
        "Infinity": with_text(b"-Infinity"),
        "deeply nested": with_text(_DEEP),
        "a date of no calendar": changed(occurred_at="9999-13-32T25:61:61Z"),
        "year 9999": changed(occurred_at="9999-12-31T23:59:59.999999Z"),
        "year 1": changed(occurred_at="0001-01-01T00:00:00Z"),
        "half a character": with_text(b'"\\ud83d\\u0041"'),
        "no id": changed(event_id="not an id"),
        "a time without a zone": changed(occurred_at="2026-01-31T09:00:00"),
        "NUL in the name": changed(name="a\x00b"),
        "a number for a text": changed(name=5),
    }


def odd() -> Mapping[str, bytes]:
    """One record of each kind that is strange and an event all the same."""
    return {
        "year 9998": changed(occurred_at="9998-12-31T23:59:59Z"),
        "year 2": changed(occurred_at="0002-01-01T00:00:00Z"),
        "a number without end": with_text(b"1e308"),
        "nearly a megabyte": changed(properties={"text": "x" * 900_000}),
        "NUL in a text": with_text(b'"a\\u0000b"'),
    }


@pytest.mark.fault(14, "poison of all kinds between good events")
async def test_row_14_poison_of_all_kinds(leadscore: Installation, chance: Random, row: Row) -> None:
    """Each is a dead letter with its bytes as they came, what is only odd is counted, neighbours are too."""
    await leadscore.start()
    bad = [value for _ in range(ROUNDS) for value in poison().values()]
    strange = [value for _ in range(ROUNDS) for value in odd().values()]
    async with flowing(leadscore, chance) as traffic:
        for value in chance.sample([*bad, *strange], len(bad) + len(strange)):
            await produce(leadscore, [(chance.choice(PARTITIONS), value, b"poison")])
    for value in strange:
        traffic.sent.add(_id(value))
        traffic.acknowledged.add(_id(value))
    books = await all_is_well(row, leadscore, traffic, dead_letters=len(bad))
    row.note(dead_letters=books["dead_lettered"])
    kept = [bytes(one["value"]) for one in await leadscore.fetch("SELECT value FROM dead_letters")]
    assert sorted(kept) == sorted(value or b"" for value in bad)
    assert await leadscore.scorer.metric("leadscore_scorer_halted_partitions") == 0


def _id(value: bytes) -> Any:
    return UUID(msgspec.json.decode(value)["event_id"])


@pytest.mark.slow
@pytest.mark.fault(15, "nothing but poison")
async def test_row_15_nothing_but_poison(leadscore: Installation, chance: Random, row: Row) -> None:
    """Every partition halts after a few, says so, and stays so: the topic is not dead-lettered whole."""
    await leadscore.start()
    traffic = Traffic(leadscore, chance)
    await traffic.send(200)
    await worked_off(leadscore)
    number = 100 * ROUNDS
    await produce(leadscore, [(one, b"poison", b"poison") for one in PARTITIONS for _ in range(number)])
    await until(lambda: _halted(leadscore), within_s=60)
    await traffic.send(200)
    books = await leadscore.books()
    row.note(dead_letters=books["dead_lettered"], of=len(PARTITIONS) * number)
    row.acknowledged, row.counted = len(traffic.acknowledged), books["counted"]
    assert books["dead_lettered"] <= len(PARTITIONS) * 2 * CONSECUTIVE
    assert balanced(books)
    assert await leadscore.off() == []


async def _halted(leadscore: Installation) -> bool:
    said = await leadscore.scorer.trouble()
    return all(f"partition {number}: too many" in said for number in PARTITIONS)


_LEADS: Final = """
SELECT lead_id, score, grade, stage, event_count FROM leads WHERE merged_into IS NULL ORDER BY lead_id
"""


@pytest.mark.fault(16, "everything again: resent, written twice, replayed from 0")
async def test_row_16_duplicates(leadscore: Installation, chance: Random, row: Row) -> None:
    """No lead changes, nothing is delivered again, and every copy stands in the books as a duplicate."""
    await leadscore.start()
    traffic = Traffic(leadscore, chance)
    items = await traffic.send(300 * ROUNDS)
    await worked_off(leadscore)
    leads, told = await leadscore.fetch(_LEADS), len(leadscore.receiver.hits)
    counted = (await leadscore.books())["counted"]

    async with httpx.AsyncClient(base_url=leadscore.ingest, timeout=30) as client:
        for _ in range(3):
            shuffled = chance.sample(items, len(items))
            for first in range(0, len(shuffled), 50):
                await traffic.post(client, shuffled[first : first + 50])
    records = await everything(leadscore)
    await produce(leadscore, records)
    await worked_off(leadscore)
    # From the beginning, as an operator does it: under another group.
    await leadscore.scorer.stop()
    again = {"LEADSCORE_SCORER_GROUP": f"{leadscore.topics.prefix}again"}
    leadscore.scorer.environment = {**leadscore.scorer.environment, **again}
    await leadscore.scorer.start()
    books = await all_is_well(row, leadscore, traffic)
    row.note(copies=books["duplicate"])
    assert (books["counted"], books["duplicate"]) == (counted, 4 * len(records) - counted)
    assert await leadscore.fetch(_LEADS) == leads
    assert (len(leadscore.receiver.hits), told_twice(leadscore)) == (told, 0)


@pytest.mark.slow
@pytest.mark.fault(17, "events told in any order, months late")
async def test_row_17_out_of_order_and_late(leadscore: Installation, chance: Random, row: Row) -> None:
    """Two months of events in any order, a few people: every score is what the history in order makes."""
    await leadscore.start()
    other = leadscore.another_scorer()
    await other.start()
    traffic = Traffic(leadscore, chance, make=partial(any_time, days=60))
    await traffic.send(1_000 * ROUNDS)
    await all_is_well(row, leadscore, traffic)
    late = [
        await each.metric('leadscore_scorer_refolds_total{reason="late_event"}')
        for each in (leadscore.scorer, other)
    ]
    row.note(late=sum(late))
    assert sum(late) > 0
