"""Counted once, on a real Postgres: duplicates, zombies, poison, merges, late events."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.codec import decode
from shared.database import engine as make_engine
from shared.database import transaction
from shared.events import Event, Machine
from shared.scoring.engine.score import score
from tests.books import balanced
from tests.scorer.conftest import TOPIC, World, event
from tests.waiting import until

pytestmark = pytest.mark.asyncio

KILL_BUSY_VICTIMS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE application_name = 'victim' AND datname = current_database() AND state <> 'idle'"
)


async def live_leads(world: World) -> list[dict[str, Any]]:
    return await world.fetch("SELECT * FROM leads WHERE merged_into IS NULL ORDER BY lead_id")


async def test_an_older_copy_of_the_database_is_noticed_though_nothing_comes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offsets that went back under a running scorer: what the copy does not have is read again at once."""
    monkeypatch.setattr("services.scorer.consume._MIRROR_EVERY_S", 0.05)
    await world.scorer().start()
    await world.send([event(f"m{n}", anonymous_id=f"a{n}") for n in range(20)])
    await world.until_taken(20)
    async with transaction(world.engine) as connection:
        await connection.execute("UPDATE partition_offsets SET next_offset = started_at_offset, counted = 0")
        await connection.execute("TRUNCATE events, leads, identities, lead_due, lead_board, lead_grams")
    assert (await world.until_taken(20))["counted"] == 20


async def test_an_event_counts_once_however_often_it_comes(world: World) -> None:
    """Three copies of 50 events count 50, and the books say what became of the rest."""
    events = [event(f"m{n}", anonymous_id=f"a{n % 5}") for n in range(50)]
    await world.send([*events, *events, *events])
    await world.scorer().start()
    books = await world.until_taken(150)
    assert (books["counted"], books["duplicate"]) == (50, 100)
    assert balanced(books)
    assert (await world.fetch("SELECT count(*)::int AS n FROM events"))[0]["n"] == 50
    assert sum(row["event_count"] for row in await live_leads(world)) == 50


async def test_a_record_that_lay_for_long_counts_once(world: World) -> None:
    """A dead letter of 40 days ago, sent again: its sender's own copy of a day later was counted then."""
    old = event("m", anonymous_id="a")
    copy, letter = (
        replace(
            old,
            received_at=old.received_at - timedelta(days=days),
            occurred_at=old.occurred_at - timedelta(days=41),
        )
        for days in (39, 40)
    )
    await world.send([copy])
    await world.scorer().start()
    await world.until_taken(1)
    await world.send([letter])
    books = await world.until_taken(2)
    assert (books["counted"], books["duplicate"]) == (1, 1)


async def test_a_restarted_scorer_goes_on_where_the_books_say(world: World) -> None:
    """A second process neither repeats nor skips what the first committed."""
    await world.send([event(f"m{n}", anonymous_id="a") for n in range(30)])
    first = world.scorer()
    await first.start()
    await world.until_taken(30)
    await first.stop()
    await world.send([event(f"n{n}", anonymous_id="a") for n in range(30)])
    await world.scorer().start()
    books = await world.until_taken(60)
    assert (books["counted"], books["duplicate"]) == (60, 0)


async def test_a_zombie_is_fenced(world: World) -> None:
    """A process that was overtaken while it slept moves nothing when it wakes up."""
    zombie = world.scorer()
    await zombie.stream.start()  # claims, then sleeps
    await world.send([event(f"m{n}", anonymous_id=f"a{n}") for n in range(40)])
    await world.scorer().start()
    await world.until_taken(40)
    zombie.task = asyncio.create_task(zombie.consumer.run(zombie.stream, batch_records=100))
    await until(lambda: not zombie.consumer.assignment.partitions)
    books = await world.books()
    assert (books["taken"], books["counted"], books["duplicate"]) == (40, 40, 0)


async def test_bytes_that_are_no_event_are_kept_with_a_reason(world: World) -> None:
    """A record that cannot be read is a dead letter with its bytes; its neighbours count."""
    await world.send([event("m1", anonymous_id="a"), b"\xff not json", event("m2", anonymous_id="a")])
    await world.scorer().start()
    books = await world.until_taken(3)
    assert (books["counted"], books["dead_lettered"]) == (2, 1)
    assert balanced(books)
    letter = (await world.fetch("SELECT * FROM dead_letters"))[0]
    assert (letter["topic"], letter["code"], letter["value"]) == (TOPIC, "not_an_event", b"\xff not json")


async def test_an_event_that_breaks_the_batch_is_found_and_set_aside(world: World) -> None:
    """An event Postgres refuses (a NUL in its name) is bisected out; all others of its batch count."""
    events = [event(f"m{n}", anonymous_id="a") for n in range(40)]
    events[17] = event("bad", name="nul\x00name", anonymous_id="a")
    await world.send(events)
    await world.scorer().start()
    books = await world.until_taken(40)
    assert (books["counted"], books["dead_lettered"]) == (39, 1)
    assert balanced(books)
    assert (await world.fetch("SELECT code FROM dead_letters")) == [{"code": "unprocessable"}]


async def test_nothing_but_poison_halts_the_partition(world: World) -> None:
    """After a row of poison the partition stops and says so, instead of dead-lettering the whole topic."""
    await world.send([b"poison"] * 500)
    scorer = world.scorer()
    await scorer.start()
    await until(lambda: "dead_letters" in scorer.consumer.assignment.trouble())
    assert (await world.books())["dead_lettered"] < 500


async def test_marked_machines_are_quarantined(world: World) -> None:
    """What a machine did is kept with the reason and gives no points."""
    await world.send(
        [event("m1", name="email.opened", email="ada@example.com", machine=Machine(reason="scanner"))]
    )
    await world.scorer().start()
    books = await world.until_taken(1)
    assert (books["counted"], books["quarantined"]) == (0, 1)
    assert (await world.fetch("SELECT quarantine FROM events")) == [{"quarantine": "scanner"}]
    assert (await live_leads(world))[0]["event_count"] == 0


async def test_identify_joins_the_anonymous_past(world: World) -> None:
    """Page views before an identify with the same anonymous id belong to the known lead."""
    await world.send([event(f"m{n}", anonymous_id="a") for n in range(3)])
    await world.send(
        [event("id", name="person.identified", anonymous_id="a", user_id="u", email="ada@example.com")]
    )
    await world.scorer().start()
    await world.until_taken(4)
    leads = await live_leads(world)
    assert [(row["known"], row["event_count"], row["stage"]) for row in leads] == [
        (True, 4, leads[0]["stage"])
    ]
    assert leads[0]["stage"] != "visitor"


async def test_merged_leads_have_one_history(world: World) -> None:
    """Two leads found to be one person: one lives with the points of both, the other points at it."""
    await world.send([event(f"w{n}", anonymous_id="a", age=timedelta(days=n)) for n in range(3)])
    await world.send([event(f"e{n}", name="email.clicked", email="ada@example.com") for n in range(2)])
    await world.scorer().start()
    await world.until_taken(5)
    assert len(await live_leads(world)) == 2
    await world.send([event("f", name="form.submitted", anonymous_id="a", email="ada@example.com")])
    await world.until_taken(6)
    leads = await live_leads(world)
    assert [row["event_count"] for row in leads] == [6]
    merged = await world.fetch("SELECT * FROM leads WHERE merged_into IS NOT NULL")
    assert [row["merged_into"] for row in merged] == [leads[0]["lead_id"]]
    assert (await world.fetch("SELECT count(*)::int AS n FROM lead_merges")) == [{"n": 1}]
    assert await replayed(world) == [row["score"] for row in leads]


async def test_late_events_count_as_if_they_had_come_in_time(world: World) -> None:
    """Events in any order give the score of a replay in order, limits included."""
    ages = [3, 40, 1, 25, 0, 60, 2, 13, 5, 1]
    events = [event(f"m{n}", anonymous_id="a", age=timedelta(days=age)) for n, age in enumerate(ages)]
    scorer = world.scorer()
    await scorer.start()
    for number, one in enumerate(events, start=1):
        await world.send([one])
        await world.until_taken(number)
    leads = await live_leads(world)
    assert leads[0]["score"] > 0
    assert await replayed(world) == [row["score"] for row in leads]


async def replayed(world: World) -> list[int]:
    """The score of every live lead as a pure function of its stored events."""
    scores = []
    for row in await live_leads(world):
        bodies = await world.fetch(
            "SELECT e.body FROM events e JOIN leads l USING (lead_id) "
            "WHERE quarantine IS NULL AND coalesce(l.merged_into, l.lead_id) = $1",
            row["lead_id"],
        )
        history: list[Event] = [decode(body["body"]) for body in bodies]
        scores.append(score(world.model, history, row["scored_at"]).total)
    return scores


async def test_two_processes_meeting_the_same_person_make_one_lead(world: World) -> None:
    """The same new address in several partitions at once becomes one lead."""
    events = [event(f"m{n}", anonymous_id=f"a{n}", email="ada@example.com") for n in range(60)]
    await world.send(events)
    await world.scorer().start()
    books = await world.until_taken(60)
    assert books["counted"] == 60
    assert [row["event_count"] for row in await live_leads(world)] == [60]


async def test_cut_connections_lose_and_double_nothing(world: World, database: str) -> None:
    """A dozen connections killed in mid-transaction while 600 events are counted: each counts once."""
    victims = make_engine(database, application="victim", pool_size=4)
    await world.send([event(f"m{n}", anonymous_id=f"a{n % 40}") for n in range(600)])
    scorer = world.scorer(victims)
    await scorer.start()
    kills = 0

    async def all_taken_though_we_kill() -> bool:
        nonlocal kills
        if kills < 12:
            kills += len(await world.fetch(KILL_BUSY_VICTIMS))
        return (await world.books())["taken"] == 600

    await until(all_taken_though_we_kill, within_s=90)
    await scorer.stop()
    await victims.dispose()
    books = await world.books()
    assert (books["counted"], books["duplicate"]) == (600, 0)
    assert balanced(books)
    assert kills > 0


async def test_a_gap_in_kafka_halts_instead_of_skipping(world: World) -> None:
    """Offsets that Kafka no longer has stop the partition: events would be missing without a trace."""
    await world.send([event(f"m{n}", anonymous_id="a") for n in range(10)])
    for log in world.broker.logs[TOPIC].values():
        del log[:2]
    scorer = world.scorer()
    await scorer.start()
    await until(lambda: "missing in Kafka" in scorer.consumer.assignment.trouble())
    assert (await world.books())["taken"] == 0


async def test_transitions_carry_what_was_true_then(world: World) -> None:
    """A transition holds score, receipts that add up to it, person and attribution as they were."""
    await world.send(
        [
            event(
                "v",
                anonymous_id="a",
                context={"campaign": {"source": "ads", "medium": "cpc"}},
                age=timedelta(minutes=5),
            ),
            event(
                "f",
                name="form.submitted",
                kind="form",
                anonymous_id="a",
                email="ada@example.com",
                traits={"company": "Engines\x00Ltd"},
            ),
        ]
    )
    await world.scorer().start()
    await world.until_taken(2)
    rows = await world.fetch(
        "SELECT t.*, t.receipts::text AS lines, t.person ->> 'email' AS email, "
        "t.attribution -> 'first' -> 'campaign' ->> 'source' AS campaign, "
        "(SELECT coalesce(sum((r ->> 'points')::int), 0)::int FROM jsonb_array_elements(receipts) r) AS sum "
        "FROM transitions t ORDER BY sequence"
    )
    assert rows[0]["previous_stage"] == "visitor"
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(row["sum"] == row["score"] for row in rows)
    assert {row["email"] for row in rows} == {"ada@example.com"}
    assert {row["campaign"] for row in rows} == {"ads"}


async def test_merges_of_merges_in_one_batch_leave_nothing_dangling(world: World) -> None:
    """A lead born in a batch takes one over and is taken over: identities and pointers end at one."""
    await world.send(
        [
            event("u", name="person.identified", user_id="u", anonymous_id="shared"),
            event("b", anonymous_id="b"),
            event("x", name="email.clicked", email="ada@example.com", age=timedelta(days=9)),
        ]
    )
    scorer = world.scorer()
    await scorer.start()
    await world.until_taken(3)
    await scorer.stop()
    await world.send(
        [
            event("v1", user_id="v", anonymous_id="shared"),
            event("v2", user_id="v", anonymous_id="b"),
            event("v3", user_id="v", email="ada@example.com"),
        ]
    )
    await world.scorer().start()
    await world.until_taken(6)
    dangling = await world.fetch(
        "SELECT kind FROM identities i LEFT JOIN leads l USING (lead_id) "
        "WHERE l.lead_id IS NULL OR l.merged_into IS NOT NULL"
    )
    assert dangling == []
    lost = await world.fetch(
        "SELECT l.lead_id FROM leads l LEFT JOIN leads w ON w.lead_id = l.merged_into "
        "WHERE l.merged_into IS NOT NULL AND (w.lead_id IS NULL OR w.merged_into IS NOT NULL)"
    )
    assert lost == []
    assert sorted(row["event_count"] for row in await live_leads(world)) == [1, 5]
    assert await replayed(world) == [row["score"] for row in await live_leads(world)]
