"""A model is changed while it scores: published, silently or not, taken back, tried in the shadow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.scorer.models import change_model, first_model
from services.scorer.models.in_force import ModelsInForce
from services.scorer.models.rescore import Rescore
from services.scorer.store import models, rescores
from services.scorer.sweep import Sweep
from shared import database as postgres
from shared.codec import decode
from shared.errors import Invalid, Misconfigured, Transient
from shared.events import Machine
from shared.leads.store import models as stored_models
from shared.leads.store.present import decode_state
from shared.scoring.engine.score import evaluate, score
from shared.scoring.file.read import load_model
from tests.scorer.conftest import AUTHOR, MODEL, Scorer, World, event
from tests.waiting import until

pytestmark = pytest.mark.asyncio

DEARER = MODEL.replace("points: 15", "points: 32")  # a click alone makes an MQL
STRICTER = MODEL.replace("score: 30", "score: 90").replace("score: 20", "score: 80")


@pytest_asyncio.fixture
async def scorer(world: World) -> AsyncIterator[Scorer]:
    made = world.scorer()
    await made.start()
    yield made
    await made.stop()


def rescore(scorer: Scorer) -> Rescore:
    return Rescore(database=scorer.engine, counter=scorer.consumer.counter, interval_s=0.05)


async def walk(scorer: Scorer) -> None:
    """Rescore until there is nothing left to do."""
    part = rescore(scorer)
    while await part.turn():
        continue


async def click(world: World, *people: str, message: str = "c") -> None:
    taken = (await world.books())["taken"]
    await world.send(
        [event(f"{message}-{one}", name="email.clicked", email=f"{one}@example.com") for one in people]
    )
    await world.until_taken(taken + len(people))


async def leads(world: World) -> list[dict[str, Any]]:
    return await world.fetch(
        "SELECT score, stage, model_version FROM leads WHERE merged_into IS NULL ORDER BY first_seen_at"
    )


async def moves(world: World) -> list[tuple[Any, ...]]:
    rows = await world.fetch(
        "SELECT stage, cause, silent, planned_at IS NOT NULL AS planned FROM transitions "
        "ORDER BY recorded_at, sequence"
    )
    return [tuple(row.values()) for row in rows]


async def test_the_next_batch_is_scored_by_what_was_published(world: World, scorer: Scorer) -> None:
    """No restart and no message: the transaction after the publish scores with the new version."""
    await click(world, "ada")
    version = await world.publish(DEARER)
    await click(world, "bob")
    assert await leads(world) == [
        {"score": 15, "stage": "lead", "model_version": version - 1},
        {"score": 32, "stage": "mql", "model_version": version},
    ]


async def test_every_lead_is_scored_anew(world: World, scorer: Scorer) -> None:
    """Leads that nothing happens to get the new score, and their moves say that the model caused them."""
    await click(world, "ada", "bob", "eve")
    version = await world.publish(DEARER)
    await walk(scorer)
    assert await leads(world) == [{"score": 32, "stage": "mql", "model_version": version}] * 3
    assert [move for move in await moves(world) if move[0] == "mql"] == [("mql", "model", False, False)] * 3
    last = (await world.fetch("SELECT leads, moved, finished_at FROM rescores ORDER BY rescore_id DESC"))[0]
    assert (last["leads"], last["moved"], last["finished_at"] is not None) == (3, 3, True)


async def test_a_silent_publish_is_recorded_and_told_nobody(world: World, scorer: Scorer) -> None:
    """The move stands in the ledger; the router has nothing to plan."""
    await click(world, "ada")
    await world.publish(DEARER, silent=True)
    await walk(scorer)
    assert (await moves(world))[-1] == ("mql", "model", True, True)


async def test_what_the_model_caused_and_what_an_event_caused_are_told_apart(
    world: World, scorer: Scorer
) -> None:
    """An event before the walk makes no silent publish loud, nor does the publish hush the event."""
    three_lines = DEARER.replace(
        "  recycled:\n", "  sql: {label: {en: S, de: S}, enter: {at_least: {score: 45}}}\n  recycled:\n"
    )
    await click(world, "ada")
    await world.publish(three_lines, silent=True)
    await click(world, "ada", message="again")
    assert (await moves(world))[1:] == [("mql", "model", True, True), ("sql", "score", False, False)]


async def test_a_walk_goes_on_where_it_stopped(world: World, scorer: Scorer) -> None:
    """A scorer that ends in the middle leaves the rest to the next; no lead is done twice."""
    await click(world, *"abcdefg")
    await world.publish(DEARER)
    assert await rescore(scorer).turn(most=3)
    done = (await world.fetch("SELECT leads FROM rescores WHERE finished_at IS NULL"))[0]["leads"]
    assert done == 3
    await asyncio.gather(walk(world.scorer()), walk(world.scorer()))
    await walk(scorer)
    assert {row["score"] for row in await leads(world)} == {32}
    assert len([move for move in await moves(world) if move[1] == "model"]) == 7


async def test_no_score_mixes_two_versions(world: World, scorer: Scorer) -> None:
    """While versions change under load, every score is the whole work of the version it names."""
    people = [f"p{n}" for n in range(40)]
    texts = [MODEL.replace("points: 15", f"points: {points}") for points in (16, 17, 18, 19)]
    walking = asyncio.create_task(rescore(scorer).run())
    total = 0
    for number, text in enumerate(texts):
        await world.send(
            [event(f"{number}-{one}", name="email.clicked", email=f"{one}@example.com") for one in people]
        )
        total += len(people)
        await world.publish(text)
    await world.until_taken(total)

    async def walked() -> bool:
        return not await world.fetch("SELECT 1 FROM rescores WHERE finished_at IS NULL")

    await until(walked)
    walking.cancel()
    with suppress(asyncio.CancelledError):
        await walking
    final = load_model(texts[-1], file="t")
    version = (await world.fetch("SELECT version FROM scoring_models WHERE state = 'active'"))[0]["version"]
    for row in await world.fetch("SELECT lead_id, score, scored_at, state, model_version FROM leads"):
        bodies = await world.fetch("SELECT body FROM events WHERE lead_id = $1", row["lead_id"])
        history = [decode(one["body"]) for one in bodies]
        assert row["model_version"] == version
        assert row["score"] == score(final, history, row["scored_at"]).total
        assert row["score"] == evaluate(final, decode_state(row["state"]), row["scored_at"]).total


async def test_a_publish_waits_for_what_is_being_scored(world: World) -> None:
    """While a transaction scores, its version stays in force; the publish comes after it."""
    async with postgres.transaction(world.engine) as scoring:
        before = await models.current(scoring)
        publishing = asyncio.create_task(world.publish(DEARER))
        done, _ = await asyncio.wait([publishing], timeout=0.3)
        assert not done
        assert before is not None
        assert (
            await scoring.fetchval("SELECT version FROM scoring_models WHERE state = 'active'")
            == before.active
        )
    assert await publishing == before.active + 1


async def test_a_frozen_scorer_holds_up_no_start(world: World, tmp_path: Path) -> None:
    """A scorer that stands still inside its transaction: another one starts at once."""
    file = tmp_path / "scoring.yaml"
    file.write_text(MODEL)
    async with postgres.transaction(world.engine) as frozen:
        await models.current(frozen)
        await asyncio.wait_for(first_model.ensure_first_model(world.engine, file), 2)


async def test_a_frozen_scorer_holds_up_a_publish_only_until_postgres_ends_it(world: World) -> None:
    """A publish waits longer than Postgres lets a transaction stand still."""
    published = None
    with suppress(Transient):  # what the frozen one meets when it goes on: its connection is gone
        async with postgres.transaction(world.engine) as frozen:
            await models.current(frozen)
            published = await world.publish(DEARER)
    assert published == 2


async def test_the_version_before_comes_back(world: World, scorer: Scorer) -> None:
    """Revert makes the former version active, rescores, and can itself be reverted."""
    await click(world, "ada")
    second = await world.publish(DEARER)
    await walk(scorer)
    async with postgres.transaction(world.engine) as connection:
        changed = await change_model.revert(connection, AUTHOR, silent=True)
    await walk(scorer)
    assert changed.version == second - 1
    assert (await leads(world))[0] | {"stage": ""} == {"score": 15, "stage": "", "model_version": second - 1}
    async with postgres.transaction(world.engine) as connection:
        assert (await change_model.revert(connection, AUTHOR, silent=True)).version == second
        lines = await stored_models.changes(connection)
    assert [line.action for line in lines][-3:] == ["published", "reverted", "reverted"]
    assert [line.silent for line in lines][-3:] == [False, True, True]


async def test_there_is_nothing_to_revert_after_the_first_version(world: World) -> None:
    """A clear refusal, and nothing has changed."""
    async with postgres.transaction(world.engine) as connection:
        with pytest.raises(Invalid, match="no other version was active before"):
            await change_model.revert(connection, AUTHOR, silent=True)


async def test_the_same_content_is_the_same_version(world: World) -> None:
    """Publishing what is active is refused; the version of a text never changes."""
    with pytest.raises(Invalid, match="active already"):
        await world.publish(MODEL)


async def cast(world: World, text: str) -> change_model.Changed:
    async with postgres.transaction(world.engine) as connection:
        number = await change_model.draft(connection, ("shadow", text, {}), AUTHOR)
        return await change_model.shadow(connection, number, AUTHOR)


async def shadows(world: World) -> list[dict[str, Any]]:
    return await world.fetch(
        "SELECT s.score, s.stage, s.model_version FROM shadow_leads s JOIN leads USING (lead_id) "
        "ORDER BY first_seen_at"
    )


async def test_a_shadow_scores_beside_and_delivers_nothing(world: World, scorer: Scorer) -> None:
    """Leads there were and leads that come are scored by both; only the active model moves anybody."""
    await click(world, "ada")
    changed = await cast(world, DEARER)
    await walk(scorer)
    await click(world, "bob")
    await click(world, "ada", message="again")
    assert await shadows(world) == [
        {"score": 60, "stage": "mql", "model_version": changed.version},
        {"score": 32, "stage": "mql", "model_version": changed.version},
    ]
    assert [row["score"] for row in await leads(world)] == [30, 15]
    assert [(move[0], move[1]) for move in await moves(world)] == [
        ("lead", "identified"),
        ("lead", "identified"),
        ("mql", "score"),
    ]
    async with postgres.transaction(world.engine) as connection:
        progress = await rescores.progress(connection, changed.rescore_id)
    assert (progress.leads, progress.moved) == (1, 0)


async def test_a_shadow_follows_late_events_and_merges(world: World, scorer: Scorer) -> None:
    """Whatever the live score has to be refolded for, the shadow is too, and one person has one shadow."""
    other = DEARER.replace("points: 4", "points: 5")
    await cast(world, other)
    await world.send(
        [
            event("v1", anonymous_id="cookie-1"),
            event("f1", name="form.submitted", anonymous_id="cookie-2", email="ada@example.com"),
            event("v2", anonymous_id="cookie-1"),
        ]
    )
    await world.until_taken(3)
    await world.send([event("f2", name="form.submitted", anonymous_id="cookie-1", email="ada@example.com")])
    await world.until_taken(4)
    assert len(await shadows(world)) == 1
    assert len(await world.fetch("SELECT 1 FROM shadow_leads")) == 1
    lead = (await world.fetch("SELECT lead_id FROM leads WHERE merged_into IS NULL"))[0]["lead_id"]
    row = (await world.fetch("SELECT score, scored_at FROM shadow_leads WHERE lead_id = $1", lead))[0]
    bodies = await world.fetch("SELECT body FROM events")
    history = [decode(one["body"]) for one in bodies]
    assert row["score"] == score(load_model(other, file="t"), history, row["scored_at"]).total


async def test_time_moves_a_shadow_too(world: World, scorer: Scorer) -> None:
    """The sweep looks when the shadow's stage is due, though the live stage is not."""
    forgetful = DEARER.replace("half_life: 30d", "half_life: 1m").replace(
        "below: {score: 20}", "below: {score: 32}"
    )
    await cast(world, forgetful)
    await click(world, "ada")
    assert (await shadows(world))[0]["stage"] == "mql"
    sweep = Sweep(database=scorer.engine, counter=scorer.consumer.counter, interval_s=0.05)

    async def fallen() -> bool:
        await sweep.turn()
        return bool((await shadows(world))[0]["stage"] == "recycled")

    await until(fallen)
    assert [move[0] for move in await moves(world)] == ["lead"]


async def test_a_shadow_that_ends_is_forgotten(world: World, scorer: Scorer) -> None:
    """Its version is a draft again, its scores are gone, and events cost what they cost before."""
    await click(world, "ada")
    changed = await cast(world, DEARER)
    await walk(scorer)
    async with postgres.transaction(world.engine) as connection:
        assert await change_model.end_shadow(connection, AUTHOR) == changed.version
        assert await stored_models.state_of(connection, changed.version) == "draft"
    await click(world, "bob")
    assert await shadows(world) == []


async def test_a_shadow_that_is_published_scores(world: World, scorer: Scorer) -> None:
    """From the shadow to active in one step; nothing is left in the shadow."""
    await click(world, "ada")
    changed = await cast(world, DEARER)
    await walk(scorer)
    async with postgres.transaction(world.engine) as connection:
        await change_model.publish(connection, changed.version, AUTHOR, silent=False)
    await walk(scorer)
    assert await shadows(world) == []
    assert await leads(world) == [{"score": 32, "stage": "mql", "model_version": changed.version}]


async def test_the_file_is_for_the_first_version_only(world: World, tmp_path: Path) -> None:
    """Once a version is active a file that differs, or is broken, changes nothing at a start."""
    file = tmp_path / "scoring.yaml"
    for text in (DEARER, "name: [broken"):
        file.write_text(text)
        await first_model.ensure_first_model(world.engine, file)
    assert len(await world.fetch("SELECT 1 FROM scoring_models")) == 1


async def test_two_scorers_that_start_together_sow_once(database: str, tmp_path: Path) -> None:
    """An empty database and two processes: one version, published once."""
    file = tmp_path / "scoring.yaml"
    file.write_text(MODEL)
    engine = postgres.engine(database, application="test", pool_size=2)
    await asyncio.gather(
        first_model.ensure_first_model(engine, file), first_model.ensure_first_model(engine, file)
    )
    async with postgres.transaction(engine) as connection:
        assert [change.action for change in await stored_models.changes(connection)] == [
            "drafted",
            "published",
        ]
    await engine.dispose()


async def test_a_version_that_cannot_be_read_stops_the_scorer(world: World, scorer: Scorer) -> None:
    """A newer release stored it: nothing is dead-lettered for that, the process ends and says so."""
    await world.fetch("UPDATE scoring_models SET content = 'name: from the future'")
    scorer.consumer.counter.models = ModelsInForce()  # as after a restart
    await world.send([event("c", name="email.clicked", email="ada@example.com")])
    assert scorer.task is not None
    with pytest.raises(Misconfigured, match="version 1"):
        await asyncio.wait_for(asyncio.shield(scorer.task), 10)
    scorer.task = None
    assert (await world.books())["taken"] == 0
    assert await world.fetch("SELECT 1 FROM dead_letters") == []


async def test_stricter_lines_take_leads_back(world: World, scorer: Scorer) -> None:
    """A publish moves leads down as well as up, once, with the receipts of that moment."""
    await click(world, "ada")
    await click(world, "ada", message="again")
    await world.publish(STRICTER)
    await walk(scorer)
    assert (await moves(world))[-1] == ("recycled", "model", False, False)


async def test_a_lead_of_machines_only_stays_where_it_is(world: World, scorer: Scorer) -> None:
    """Nothing counted for it so far: a publish is no reason to call it a lead."""
    await world.send(
        [event("o", name="email.opened", email="ada@example.com", machine=Machine(reason="apple_privacy"))]
    )
    await world.until_taken(1)
    await world.publish(DEARER)
    await walk(scorer)
    assert [row["stage"] for row in await leads(world)] == ["visitor"]
    assert await moves(world) == []
