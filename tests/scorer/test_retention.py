"""What is forgotten after its time, and what never: on a real Postgres, with leads that real batches made."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.cli.reconcile.walk import reconcile
from services.scorer import metrics
from services.scorer.retention import partitions
from services.scorer.retention.apply import Done, Retention
from services.scorer.retention.forget import Forgotten, forget
from services.scorer.retention.months import due, end_of, month_of, partition_of
from services.scorer.retention.settings import RetentionSettings
from shared import database as postgres
from shared import settings
from shared.errors import Misconfigured
from shared.events import Machine
from shared.ids import NOBODY
from tests.scorer.conftest import World, event
from tests.waiting import until

DAYS = 100


def retention(world: World, **days: int) -> Retention:
    wanted = {f"LEADSCORE_RETENTION_{name.upper()}_DAYS": str(number) for name, number in days.items()}
    read = settings.load(RetentionSettings, wanted)
    return Retention(database=world.engine, settings=read, rest_s=0)


async def count(world: World, events: Sequence[Any]) -> None:
    """Have these counted by a scorer."""
    scorer = world.scorer()
    await scorer.start()
    await world.send(events)
    taken = (await world.books())["taken"]
    await world.until_taken(taken + len(events))
    await scorer.stop()


async def made_old(world: World, *, but: Sequence[str] = ()) -> date:
    """Put all events, but those of these names, into a month long ago; returns that month."""
    month = (datetime.now(UTC).replace(day=1) - timedelta(days=DAYS + 40)).date().replace(day=1)
    await world.fetch(
        f"CREATE TABLE IF NOT EXISTS {partition_of(month)} PARTITION OF events "
        f"FOR VALUES FROM ('{month}T00:00:00Z') TO ('{end_of(month).isoformat()}')"
    )
    await world.fetch(
        "UPDATE events SET received_at = $1::timestamptz "
        "+ (received_at - date_trunc('month', received_at)) / 2 WHERE name <> ALL ($2::text[])",
        datetime(month.year, month.month, 1, tzinfo=UTC),
        list(but),
    )
    return month


async def left(world: World) -> list[str]:
    """The devices and addresses whose owners are still there, by their events."""
    rows = await world.fetch("SELECT body FROM events ORDER BY event_id")
    return sorted({text for row in rows for text in ("gone", "back", "ada") if text.encode() in row["body"]})


def test_a_month_is_due_when_its_last_moment_is_old_enough() -> None:
    """To the moment, in the order of months; the partition without a month never is; 0 days: none."""
    names = ["events_other", "events_2026_02", "events_2025_12", "events_2026_01"]
    end = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=40)
    assert due(names, end, 40) == [date(2025, 12, 1), date(2026, 1, 1)]
    assert due(names, end - timedelta(microseconds=1), 40) == [date(2025, 12, 1)]
    assert due(names, end, 0) == []
    assert [month_of("events_2026_02"), month_of("events_other")] == [date(2026, 2, 1), None]


def test_events_are_not_forgotten_before_copies_of_them_are() -> None:
    """Less than the 35 days for which duplicates are told is refused, with what would work."""
    with pytest.raises(Misconfigured, match=r"LEADSCORE_RETENTION_ANONYMOUS_DAYS is 34.*35 or more, or to 0"):
        settings.load(RetentionSettings, {"LEADSCORE_RETENTION_ANONYMOUS_DAYS": "34"})


@pytest.mark.asyncio
async def test_visitors_who_left_are_forgotten_whole_and_nobody_else(world: World) -> None:
    """Gone: who is unknown and came no more. Whole: who came back, who is known. Reconcile stays clean."""
    await count(
        world,
        [
            *(event(f"g{n}", anonymous_id=f"gone{n}") for n in range(5)),
            *(event(f"b{n}", anonymous_id="back") for n in range(3)),
            *(event(f"a{n}", anonymous_id="ada", email="ada@example.com") for n in range(2)),
        ],
    )
    month = await made_old(world)
    await count(world, [event("b-again", anonymous_id="back", name="came.back")])
    scores = await world.fetch("SELECT lead_id, score, state FROM leads ORDER BY lead_id")

    done = await retention(world, anonymous=DAYS).apply()
    assert done == Done(leads=5, events=5)
    assert await left(world) == ["ada", "back"]
    assert (await world.fetch("SELECT count(*)::int AS n FROM events"))[0]["n"] == 6
    kept = await world.fetch("SELECT lead_id, score, state FROM leads ORDER BY lead_id")
    assert len(kept) == 2
    assert [row for row in scores if row["lead_id"] in {one["lead_id"] for one in kept}] == kept
    assert len(await world.fetch("SELECT FROM identities WHERE kind = 'anonymous_id'")) == 2
    assert (await reconcile(world.engine)).document()["faults"] == []
    noted = await world.fetch("SELECT month, leads, counted, finished_at FROM forgotten_months")
    assert [(row["month"], row["leads"], row["counted"]) for row in noted] == [(month, 5, 5)]
    assert await retention(world, anonymous=DAYS).apply() == Done()


@pytest.mark.asyncio
async def test_an_empty_month_is_dropped_and_who_comes_again_is_new(world: World) -> None:
    """When nobody is left in it, the partition goes; the device is somebody new, and counts."""
    await count(world, [event(f"g{n}", anonymous_id=f"gone{n}") for n in range(3)])
    month = await made_old(world)
    assert await retention(world, anonymous=DAYS).apply() == Done(leads=3, events=3, partitions=1)
    assert await world.fetch("SELECT to_regclass($1) AS there", partition_of(month)) == [{"there": None}]
    await count(world, [event("again", anonymous_id="gone1")])
    assert (await world.fetch("SELECT event_count FROM leads")) == [{"event_count": 1}]


@pytest.mark.asyncio
async def test_a_visitor_who_comes_back_while_being_forgotten_is_somebody_new(world: World) -> None:
    """A batch that found the lead waits for its lock, finds it gone, and counts the event for a new one."""
    await count(world, [event("first", anonymous_id="gone")])
    month = await made_old(world)
    scorer = world.scorer()
    async with postgres.transaction(world.engine) as connection:
        assert (await forget(connection, month)) == Forgotten(leads=1, counted=1, finished=True)
        await scorer.start()
        await world.send([event("second", anonymous_id="gone")])
        await until(lambda: _somebody_waits(world), within_s=20)
    await world.until_taken(2)
    assert await world.fetch("SELECT event_count FROM leads") == [{"event_count": 1}]
    assert (await reconcile(world.engine)).document()["faults"] == []


async def _somebody_waits(world: World) -> bool:
    return bool(await world.fetch("SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"))


@pytest.mark.asyncio
async def test_without_a_setting_nobody_is_forgotten(world: World) -> None:
    """Zero days keep visitors for ever: what is deleted is somebody's decision."""
    await count(world, [event("g", anonymous_id="gone")])
    await made_old(world)
    assert await retention(world).apply() == Done()


@pytest.mark.asyncio
async def test_a_portion_at_a_time_goes_on_where_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More visitors than a portion takes: each is looked at once, and all are gone in the end."""
    monkeypatch.setattr("services.scorer.retention.forget.forget.__defaults__", (2,))
    await count(world, [event(f"g{n}", anonymous_id=f"gone{n}") for n in range(7)])
    await made_old(world)
    assert (await retention(world, anonymous=DAYS).apply()).leads == 7


@pytest.mark.asyncio
async def test_whoever_has_many_events_is_forgotten_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction takes no more leads than it can delete the events of, and one at least."""
    monkeypatch.setattr("services.scorer.retention.forget._EVENTS_AT_ONCE", 3)
    sizes = {"a": 4, "b": 1, "c": 2, "d": 5}
    await count(
        world, [event(f"{who}{n}", anonymous_id=who) for who, size in sizes.items() for n in range(size)]
    )
    month = await made_old(world)
    portions: list[Forgotten] = []
    while not (portions and portions[-1].finished):
        async with postgres.transaction(world.engine) as connection:
            portion = await forget(connection, month)
        assert portion is not None
        portions.append(portion)
    assert sum(each.leads for each in portions) == 4
    assert sum(each.counted for each in portions) == 12
    assert all(each.counted <= 3 or each.leads == 1 for each in portions)
    assert (await reconcile(world.engine)).document()["faults"] == []


@pytest.mark.asyncio
async def test_what_kept_a_visitor_may_end(world: World) -> None:
    """Somebody who waited for an account when their month was looked at is forgotten a month later."""
    await count(world, [event("g", anonymous_id="gone")])
    await made_old(world)
    await world.fetch("INSERT INTO account_queue (lead_id, says) SELECT lead_id, true FROM leads RETURNING 1")
    assert await retention(world, anonymous=DAYS).apply() == Done()
    await world.fetch("DELETE FROM account_queue")
    assert await retention(world, anonymous=DAYS).apply() == Done(), "the month was looked at"
    await world.fetch("UPDATE forgotten_months SET finished_at = now() - interval '31 days'")
    assert await retention(world, anonymous=DAYS).apply() == Done(leads=1, events=1, partitions=1)


@pytest.mark.asyncio
async def test_events_of_nobody_go_but_those_taken_from_somebody_stay(world: World) -> None:
    """A program's goes; those of a shared device come back to their owner when it is believed again."""
    machine = Machine(reason="scanner")
    await count(world, [event("m", name="email.clicked", machine=machine), event("t", anonymous_id="tablet")])
    await world.fetch(
        "UPDATE events SET lead_id = $1, quarantine = 'shared_device' WHERE quarantine IS NULL", NOBODY
    )
    await made_old(world)
    world.broken_by_hand = True  # the books know nothing of the device that was set aside by SQL
    assert await retention(world, anonymous=DAYS).apply() == Done(events=1)
    assert await world.fetch("SELECT quarantine FROM events") == [{"quarantine": "shared_device"}]


@pytest.mark.asyncio
async def test_a_month_that_another_scorer_dropped_is_no_fault(world: World) -> None:
    """It was there when the months were listed, and is gone when it is asked for."""
    async with postgres.transaction(world.engine) as connection:
        assert await partitions.drop_empty(connection, date(2001, 1, 1)) is False


@pytest.mark.asyncio
async def test_a_dump_makes_dropping_late_and_nothing_else(world: World) -> None:
    """Somebody reads the events for long: the month stays until the next round, visitors are forgotten."""
    await count(world, [event("g", anonymous_id="gone")])
    month = await made_old(world)
    async with postgres.transaction(world.engine) as reader:
        await reader.execute("LOCK TABLE events IN ACCESS SHARE MODE")
        assert await retention(world, anonymous=DAYS).apply() == Done(leads=1, events=1)
    assert await retention(world, anonymous=DAYS).apply() == Done(partitions=1)
    assert await world.fetch("SELECT to_regclass($1) AS there", partition_of(month)) == [{"there": None}]


@pytest.mark.asyncio
async def test_finished_deliveries_and_resolved_dead_letters_lose_what_they_carried(world: World) -> None:
    """Body and bytes go after their time; rows stay; what may still be sent keeps them."""
    world.broken_by_hand = True
    await world.fetch(
        "INSERT INTO deliveries (delivery_id, destination, transition_id, lead_id, sequence, kind, body, "
        "state, finished_at) SELECT gen_random_uuid(), 'crm', gen_random_uuid(), gen_random_uuid(), 1, "
        "'every', 'x', state, now() - make_interval(days => age) FROM unnest("
        "ARRAY['delivered', 'superseded', 'dead', 'delivered'], ARRAY[91, 91, 91, 89]) AS n (state, age)"
    )
    await world.fetch(
        "INSERT INTO dead_letters (topic, partition, record_offset, code, message, key, value, headers, "
        "resolved_at) SELECT 't', 0, n, 'c', 'm', 'k', 'v', '[]', CASE WHEN n > 0 THEN "
        "now() - make_interval(days => 88 + n) END FROM generate_series(0, 3) n"
    )
    done = await retention(world).apply()
    assert (done.deliveries, done.dead_letters) == (2, 2)
    bodies = await world.fetch("SELECT state, body FROM deliveries ORDER BY body, state")
    assert [(row["state"], row["body"]) for row in bodies] == [
        ("delivered", b""),
        ("superseded", b""),
        ("dead", b"x"),
        ("delivered", b"x"),
    ]
    letters = await world.fetch("SELECT value FROM dead_letters ORDER BY record_offset")
    assert [row["value"] for row in letters] == [b"v", b"v", b"", b""]


@pytest.mark.asyncio
async def test_what_breaks_retention_stops_nobody_from_scoring(world: World) -> None:
    """Months cannot be made: the loop says so and lives, and the gauge tells how far there are months."""
    await world.fetch("DROP FUNCTION ensure_event_partitions")
    metrics.EVENT_MONTHS_AHEAD.set(0)
    running = asyncio.create_task(retention(world).run())
    await until(lambda: REGISTRY.get_sample_value("leadscore_scorer_event_months_ahead") == 3, within_s=20)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(running), 0.2)
    running.cancel()


@pytest.mark.asyncio
async def test_months_are_made_ahead_and_shown(world: World) -> None:
    """A service makes the months that are missing; the gauge says how far they go without a gap."""
    shown = "leadscore_scorer_event_months_ahead"
    following = [end_of(date.today().replace(day=1))]  # noqa: DTZ011 - a month more or less does not matter here
    following.append(end_of(following[0].date()))
    await world.fetch(f"DROP TABLE {partition_of(following[1].date())}")
    await retention(world).make_months()
    assert REGISTRY.get_sample_value(shown) == 3
    # A clock that ran ahead left a row where the month would be: Postgres refuses to make it.
    world.broken_by_hand = True
    await world.fetch(f"DROP TABLE {partition_of(following[1].date())}")
    await world.fetch(
        "INSERT INTO events (event_id, received_at, occurred_at, lead_id, source, name, body) "
        "VALUES (gen_random_uuid(), $1, now(), gen_random_uuid(), 'web', 'x', '')",
        following[1] + timedelta(days=1),
    )
    await retention(world).make_months()
    assert REGISTRY.get_sample_value(shown) == 1
