"""A person objects, or withdraws consent: what is scored, told and kept, on a real database."""

from datetime import timedelta
from typing import Any

import pytest

from shared.events import Event
from tests.scorer.conftest import MODEL, World, event

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WITH_CONSENT = (
    MODEL.replace("    points: 15\n", "    points: 15\n    purpose: marketing\n")
    + """
consent:
  purposes:
    marketing: {label: {en: Marketing, de: Werbung}, withdrawal: for_ever, unknown: granted}
"""
)


def form(message: str, age: timedelta, **fields: Any) -> Event:
    return event(message, name="form.submitted", kind="form", age=age, **fields)


def objects(message: str, age: timedelta = timedelta(0), **fields: Any) -> Event:
    return event(message, name="person.objected", kind="crm", age=age, **fields)


def agrees_again(message: str, age: timedelta = timedelta(0), **fields: Any) -> Event:
    return event(message, name="person.objection_withdrawn", kind="crm", age=age, **fields)


async def count(world: World, *events: Event) -> None:
    """Have these events taken, one batch after another."""
    taken = (await world.books())["taken"]
    for number, one in enumerate(events, start=1):
        await world.send([one])
        await world.until_taken(taken + number)


async def leads(world: World) -> list[dict[str, Any]]:
    return await world.fetch(
        "SELECT stage, score, grade, event_count FROM leads WHERE merged_into IS NULL ORDER BY first_seen_at"
    )


async def told(world: World) -> list[tuple[str, str, str, int, bool]]:
    rows = await world.fetch(
        "SELECT previous_stage, stage, cause, score, silent FROM transitions ORDER BY recorded_at, sequence"
    )
    return [(row["previous_stage"], row["stage"], row["cause"], row["score"], row["silent"]) for row in rows]


@pytest.mark.asyncio
async def test_whoever_objects_is_worth_nothing_and_moves_no_more(world: World) -> None:
    """Score 0 with a receipt that says why; one transition that tells; events go on being kept."""
    await world.scorer().start()
    who = {"email": "ada@engines.example"}
    await count(world, form("f", DAY, traits={"company": "Engines"}, **who), objects("o", HOUR, **who))
    await count(world, form("later", timedelta(0), **who))
    assert await leads(world) == [{"stage": "mql", "score": 0, "grade": "D4", "event_count": 3}]
    assert await told(world) == [
        ("visitor", "lead", "identified", 40, False),
        ("lead", "mql", "score", 40, False),
        ("mql", "mql", "objected", 0, False),
    ]
    (row,) = await world.fetch("SELECT receipts, cause_event FROM transitions WHERE cause = 'objected'")
    assert [(line["rule"], line["points"]) for line in row["receipts"]] == [("objection", 0)]
    assert row["receipts"][0]["sentence_en"] == "Objected 1 hour ago: nothing is counted"
    assert row["cause_event"] == objects("o").event_id
    kept = await world.fetch("SELECT count(*) AS number FROM events WHERE quarantine IS NULL")
    assert kept == [{"number": 3}]


@pytest.mark.asyncio
async def test_time_and_another_model_move_nobody_who_objects(world: World) -> None:
    """The sweep does not look, a publish that everybody would move for moves nobody, nothing is due."""
    scorer = world.scorer()
    await scorer.start()
    who = {"email": "ada@engines.example"}
    await count(world, form("f", DAY, **who), objects("o", HOUR, **who))
    moved = await told(world)
    await world.publish(
        MODEL.replace("below: {score: 20}", "below: {score: 100}").replace("name: test", "name: b")
    )
    await count(world, event("x", email="ada@engines.example"))
    assert await told(world) == moved
    assert await world.fetch("SELECT due_at FROM leads WHERE due_at > now()") == []


@pytest.mark.asyncio
async def test_the_order_of_arrival_does_not_matter(world: World) -> None:
    """An objection that comes first, last or late: the same score and counts, told once if there is whom."""
    await world.scorer().start()
    story = [("f", form, 3 * DAY), ("o", objects, 2 * DAY), ("g", form, DAY)]
    orders = [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)]
    for number, order in enumerate(orders):
        who = {"email": f"p{number}@x.example"}
        made = [make(f"{name}{number}", age, **who) for name, make, age in story]
        await count(world, *(made[place] for place in order))
    assert {(row["score"], row["grade"], row["event_count"]) for row in await leads(world)} == {(0, "D4", 3)}
    causes = await world.fetch(
        "SELECT lead_id, count(*) AS number FROM transitions WHERE cause = 'objected' GROUP BY 1"
    )
    assert {row["number"] for row in causes} == {1}
    assert len(causes) == 3  # who objected before anything else never moved, and there is nobody to tell


@pytest.mark.asyncio
async def test_taken_back_only_what_follows_counts(world: World) -> None:
    """The profile begins anew too; whoever was told of the objection is told of its end."""
    await world.scorer().start()
    who = {"email": "ada@engines.example"}
    await count(
        world,
        form("f", 3 * DAY, traits={"company": "Engines"}, **who),
        objects("o", 2 * DAY, **who),
        agrees_again("w", DAY, **who),
        event("v", age=timedelta(0), **who),
    )
    assert [row["score"] for row in await leads(world)] == [4]
    assert [cause for _, _, cause, _, _ in await told(world)][-3:] == [
        "objected",
        "objection_withdrawn",
        "score",
    ]


@pytest.mark.asyncio
async def test_what_sales_said_while_an_objection_stood_moves_nobody(world: World) -> None:
    """In whatever order it is told once the objection is known; what sales says of later counts."""
    await world.scorer().start()
    moved: dict[str, Any] = {"name": "lead.moved", "kind": "crm"}
    for number, order in enumerate([(0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2), (0, 3, 2, 1), (2, 0, 3, 1)]):
        who = {"email": f"p{number}@x.example"}
        made = [
            objects(f"o{number}", 4 * DAY, **who),
            event(f"d{number}", age=3 * DAY, properties={"stage": "customer"}, **moved, **who),
            agrees_again(f"w{number}", 2 * DAY, **who),
            event(f"m{number}", age=DAY, properties={"stage": "recycled"}, **moved, **who),
        ]
        await count(world, event(f"v{number}", age=5 * DAY, **who), *(made[place] for place in order))
    assert [row["stage"] for row in await leads(world)] == ["recycled"] * 5
    stages = {row["stage"] for row in await world.fetch("SELECT stage FROM transitions")}
    assert stages == {"lead", "recycled"}


@pytest.mark.asyncio
async def test_somebody_else_does_not_take_an_objection_back(world: World) -> None:
    """Merged with a person who objected, the lead objects; the other one's word does not lift that."""
    await world.scorer().start()
    ada, user = {"email": "ada@engines.example"}, {"user_id": "17", "namespace": "product"}
    await count(world, form("f", 9 * DAY, **ada), form("g", 8 * DAY, **user), objects("o", 7 * DAY, **ada))
    assert sorted(row["score"] for row in await leads(world)) == [0, 30]
    await count(world, event("both", age=6 * DAY, **ada, **user))
    assert [row["score"] for row in await leads(world)] == [0]
    await count(world, agrees_again("w", 5 * DAY, **user), form("h", 4 * DAY, **user))
    assert [row["score"] for row in await leads(world)] == [0]
    await count(world, agrees_again("v", 3 * DAY, **ada), form("i", 2 * DAY, **user))
    assert [row["score"] for row in await leads(world)] == [30]


@pytest.mark.asyncio
async def test_a_withdrawal_for_ever_takes_points_back_and_says_so(database: str, world: World) -> None:
    """The click is taken back, the receipt says what consent left out, reconcile agrees; late or in time."""
    await world.publish(WITH_CONSENT)
    await world.scorer().start()
    for number, order in enumerate([(0, 1, 2), (1, 2, 0), (2, 1, 0)]):
        who = {"email": f"p{number}@x.example"}
        made = [
            event(f"c{number}", name="email.clicked", kind="email", age=3 * DAY, **who),
            event(f"v{number}", name="page.viewed", age=DAY, consent={"marketing": False}, **who),
            form(f"f{number}", HOUR, **who),
        ]
        await count(world, *(made[place] for place in order))
    rows = await leads(world)
    assert {row["score"] for row in rows} == {34}
    lines = await world.fetch(
        """SELECT receipt ->> 'sentence_en' AS said FROM transitions t, jsonb_array_elements(receipts) receipt
        WHERE receipt ->> 'rule' = 'consent marketing'"""
    )
    assert {row["said"].partition(",")[0] for row in lines} == {
        "Not counted: 1 event without consent for “Marketing”"
    }


@pytest.mark.asyncio
async def test_a_visitor_who_turns_out_to_be_somebody_tells_nobody_again(world: World) -> None:
    """Each new browser of a person who objected is a merge, and no news for those who had the lead."""
    await world.scorer().start()
    ada = {"email": "ada@engines.example"}
    await count(world, form("f", 9 * DAY, **ada), objects("o", 8 * DAY, **ada))
    for number in range(2):
        device = {"anonymous_id": f"browser-{number}"}
        await count(world, event(f"v{number}", age=DAY, **device))
        await count(world, event(f"l{number}", age=HOUR, **device, **ada))
    assert [cause for _, _, cause, _, _ in await told(world)] == ["identified", "score", "objected"]


@pytest.mark.asyncio
async def test_who_had_only_the_other_lead_is_told_when_it_is_the_same_person(world: World) -> None:
    """Two leads that were delivered become one that objects: the objection is told once more."""
    await world.scorer().start()
    ada, user = {"email": "ada@engines.example"}, {"user_id": "17", "namespace": "product"}
    await count(world, form("f", 9 * DAY, **ada), form("g", 8 * DAY, **user), objects("o", 7 * DAY, **ada))
    await count(world, event("both", age=6 * DAY, **ada, **user), event("again", age=DAY, **ada, **user))
    assert [cause for _, _, cause, _, _ in await told(world)].count("objected") == 2


@pytest.mark.asyncio
async def test_nobody_hears_where_a_merge_would_move_who_objects(world: World) -> None:
    """The ledger takes over the further stage, as with every merge; that is recorded, not routed."""
    await world.scorer().start()
    ada, user = {"email": "ada@engines.example"}, {"user_id": "17", "namespace": "product"}
    await count(
        world, event("v", age=9 * DAY, **ada), objects("o", 8 * DAY, **ada), form("g", 7 * DAY, **user)
    )
    await count(world, event("both", age=6 * DAY, **ada, **user))
    moved = [(cause, silent) for _, _, cause, _, silent in await told(world)]
    assert ("merged", True) in moved
    assert ("merged", False) not in moved


@pytest.mark.asyncio
async def test_consent_of_two_leads_is_one_timeline_and_the_withdrawal_wins(world: World) -> None:
    """The yes of the other lead, younger than the no, does not undo it."""
    await world.publish(WITH_CONSENT)
    await world.scorer().start()
    ada, user = {"email": "ada@engines.example"}, {"user_id": "17", "namespace": "product"}
    click = {"name": "email.clicked", "kind": "email"}
    await count(
        world,
        event("no", age=9 * DAY, consent={"marketing": False}, **ada),
        event("yes", age=8 * DAY, consent={"marketing": True}, **click, **user),
    )
    assert sorted(row["score"] for row in await leads(world)) == [3, 12]
    await count(world, event("both", age=7 * DAY, **ada, **user))
    (merged,) = await leads(world)
    assert merged["score"] < 8  # two views, no click
    await count(world, event("ja", age=6 * DAY, consent={"marketing": True}, **click, **ada))
    (granted,) = await leads(world)
    assert granted["score"] > 12
