"""The board is what the leads say, whatever happened to them."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.scorer.board import keep
from services.scorer.board.keep import BoardKeeper, write_noted
from services.scorer.board.noted import NotedLeads
from services.scorer.models import change_model
from services.scorer.models.rescore import Rescore
from services.scorer.people.decide import Decider
from services.scorer.people.decide_events import EventDecider
from services.scorer.store.histories import By
from services.scorer.sweep import Sweep
from shared.database import transaction
from shared.errors import Invalid
from shared.events import Event, Machine
from shared.leads.find import find
from shared.leads.names import names
from shared.leads.store.history import stored_histories
from tests.scorer.board.reading import agrees, as_leads_say, cards, keeper, shown, walked
from tests.scorer.conftest import AUTHOR, MODEL, World, event
from tests.scorer.identity.people import RULES, Town, decoded, seen
from tests.scorer.identity.test_any_order import crowd
from tests.waiting import until

pytestmark = pytest.mark.asyncio

OTHER = MODEL.replace("points: 30", "points: 3").replace("name: test", "name: other")
ADA = {"name": "Ada Lovelace", "company": "Analytical Engines"}


async def test_who_has_something_to_show_is_shown(board_town: Town) -> None:
    """Somebody known, or further than a visitor; with name, company, and what brought them first and last."""
    campaign = {"campaign": {"source": "newsletter"}}
    await board_town.count(
        seen(1, user_id="u1", email="ada@engines.example", traits=ADA, context=campaign),
        seen(2, user_id="u1", context={"referrer": {"url": "https://search.example/q"}}),
        seen(3, user_id="u2", traits={"first_name": "Bo", "lastName": "Ek"}),
        seen(4, anonymous_id="d1"),
    )
    await keeper(board_town).turn()
    ada, bo = sorted(await cards(board_town.engine), key=lambda card: card.name)
    assert (ada.email, ada.name, ada.company) == ("ada@engines.example", "Ada Lovelace", "Analytical Engines")
    assert (ada.first_source, ada.last_source, ada.owner) == ("newsletter", "search.example", None)
    assert (bo.name, bo.first_source, bo.stage) == ("Bo Ek", "product", "lead")
    assert await agrees(board_town.engine)


async def chance_does_something(town: Town, chance: random.Random) -> None:
    """One of what people and time do to leads."""
    events = await town.fetch("SELECT event_id, quarantine FROM events")
    leads = await town.fetch("SELECT lead_id FROM leads WHERE merged_into IS NULL AND known")
    what = chance.choice(["merge", "unmerge", "quarantine", "release", "split", "publish"])
    try:
        async with transaction(town.engine) as connection:
            decider = Decider(connection=connection, counter=town.counter, made_by="test")
            by_event = EventDecider(connection=connection, counter=town.counter, by=By(name="test"))
            if what == "merge" and len(leads) > 1:
                await decider.one_person(*(row["lead_id"] for row in chance.sample(leads, 2)))
            elif what == "unmerge" and leads:
                await decider.two_people(chance.choice(leads)["lead_id"])
            elif what == "split":
                device = RULES.anonymous_id("d1")
                assert device is not None
                await decider.nobodys_device(device)
            elif what in {"quarantine", "release"} and events:
                await getattr(by_event, what)(chance.choice(events)["event_id"])
            elif what == "publish":
                number = await change_model.draft(connection, ("other", OTHER, {}), AUTHOR)
                await change_model.publish(connection, number, AUTHOR, silent=True)
    except Invalid:
        return  # it was so already, or nobody is there
    rescore = Rescore(database=town.engine, counter=town.counter, interval_s=1)
    while await rescore.turn():
        continue
    await town.regroup.work_off()


def told(events: Sequence[Event], chance: random.Random) -> list[Event]:
    """The same events; some say names, some where somebody came from, some are a machine's."""
    traits = [
        {},
        {},
        ADA,
        {"name": "Bo"},
        {"company": "Boats"},
        {"first_name": "Cy"},
        {"name": ["no", "text"]},
    ]
    contexts = [{}, {}, {"campaign": {"source": "ads"}}, {"referrer": {"url": "https://x.example"}}]
    machines = [None, None, None, Machine(reason="webdriver")]
    return [
        replace(
            one,
            name=chance.choice(["page.viewed", "form.submitted"]),
            traits=chance.choice(traits),
            context=chance.choice(contexts),
            machine=chance.choice(machines),
        )
        for one in events
    ]


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_the_board_is_what_the_leads_say(board_town: Town, seed: int) -> None:
    """Events in any order, merges, unmerges, releases, a publish; the keeper looks whenever it happens to."""
    chance = random.Random(seed)
    most = 0
    for _ in range(12):
        await board_town.clear()
        await board_town.fetch("DELETE FROM lead_board")
        await board_town.fetch("DELETE FROM lead_grams")
        events = told(crowd(chance), chance)
        rest = chance.sample(events, len(events))
        keeps = keeper(board_town)
        while rest:
            size = chance.randint(1, 4)
            batch, rest = rest[:size], rest[size:]
            await board_town.count(*batch)
            if chance.random() < 0.5:
                await keeps.turn()
            if chance.random() < 0.4:
                await chance_does_something(board_town, chance)
        await keeps.turn()
        assert await shown(board_town.engine) == await as_leads_say(board_town.engine)
        most = max(most, len(await shown(board_town.engine)))
    assert most > 2


async def test_what_is_not_committed_yet_is_looked_at_again(board_town: Town) -> None:
    """The keeper comes while a transaction is open: it shows what was, and afterwards what is."""
    await board_town.count(seen(1, user_id="u1", email="a@a.example"))
    keeps = keeper(board_town)
    await keeps.turn()
    async with transaction(board_town.engine) as connection:
        now = await connection.fetchval("SELECT now()")
        later = seen(2, user_id="u1", name="form.submitted", traits=ADA)
        await board_town.counter.count(connection, [decoded(later)], now=now)
        await keeps.turn()
        assert [card.name for card in await cards(board_town.engine)] == [""]
    await keeps.turn()
    assert [card.name for card in await cards(board_town.engine)] == ["Ada Lovelace"]
    assert await agrees(board_town.engine)


async def test_what_was_rolled_back_is_let_go_of(board_town: Town) -> None:
    """After a while: it never shows."""
    noted = NotedLeads()
    board_town.counter.models.noted = noted

    class Broken(Exception):
        """What rolls it back."""

    with pytest.raises(Broken):  # noqa: PT012 - the transaction is what it is about
        async with transaction(board_town.engine) as connection:
            now = await connection.fetchval("SELECT now()")
            await board_town.counter.count(connection, [decoded(seen(1, user_id="u1"))], now=now)
            raise Broken
    taken = noted.take(10)
    assert (len(taken), noted.put_back(taken, {}, 0.0), len(noted)) == (1, 0, 1)
    taken = noted.take(10)
    assert (noted.put_back(taken, {}, 29.0), len(noted)) == (0, 1)
    taken = noted.take(10)
    assert (noted.put_back(taken, {}, 31.0), len(noted)) == (0, 0)


async def test_what_a_killed_process_had_noted_is_found(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk of the next start shows what is missing or older, and removes what is merged or gone."""
    monkeypatch.setattr(keep, "STRETCH", 3)
    monkeypatch.setattr(keep, "_COMPARED", 4)
    await town.count(
        *(seen(n, user_id=f"u{n}", email=f"u{n}@a.example") for n in range(9)),
        seen(18, source="crm", kind="crm", user_id="c1"),
        seen(19, source="crm", kind="crm", user_id="c2"),
    )
    keeps = keeper(town)
    while await keeps.turn():
        continue
    assert len(await cards(town.engine)) == 11
    await town.count(
        *(seen(n + 20, user_id=f"u{n}", name="form.submitted", traits={"name": f"N{n}"}) for n in range(5)),
        seen(40, source="crm", kind="crm", user_id="c1", email="u1@a.example"),
    )
    async with transaction(town.engine) as connection:
        decider = Decider(connection=connection, counter=town.counter, made_by="test")
        await decider.one_person(await find(connection, "u7", RULES), await find(connection, "c2", RULES))
    await town.fetch(
        "INSERT INTO lead_board SELECT gen_random_uuid(), 'x', 'x', 'x', 'mql', 1, 'A1', '{}', "
        "NULL, '', '', '{}', '', true, now(), now() FROM generate_series(1, 2)"
    )
    town.counter.models.noted = NotedLeads()  # as after kill -9
    keeps = keeper(town)
    assert not await shows_the_right_leads(town)
    await keeps.begin_walk()
    while await keeps.turn():
        continue
    assert await agrees(town.engine)
    assert not await keeps.turn()


async def shows_the_right_leads(town: Town) -> bool:
    """Whether the same leads are shown."""
    rows = await town.fetch("SELECT lead_id FROM lead_board")
    return {row["lead_id"] for row in rows} == set(await as_leads_say(town.engine))


async def test_more_than_can_be_noted_is_found_by_the_walk(board_town: Town) -> None:
    """Memory stays bounded; the running keeper walks through all leads then."""
    board_town.counter.models.noted = NotedLeads(most=2)
    await board_town.count(*(seen(n, user_id=f"u{n}") for n in range(6)))
    assert board_town.counter.models.noted.overflowed
    task = asyncio.create_task(keeper(board_town).run())
    await until(lambda: agrees(board_town.engine))
    task.cancel()
    assert len(await cards(board_town.engine)) == 6


async def test_histories_are_read_only_for_new_names(
    board_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an event repeats is known; another name, address, id or source is looked up."""
    read: list[int] = []

    async def counting(connection: Any, leads: Sequence[Any]) -> Any:
        read.append(len(leads))
        return await stored_histories(connection, leads)

    monkeypatch.setattr(keep, "stored_histories", counting)
    same: dict[str, Any] = {"user_id": "u1", "email": "ada@a.example", "traits": ADA}
    keeps = keeper(board_town)
    for n, news in enumerate(
        [
            same,
            same,
            {"user_id": "u1"},
            {**same, "traits": {"company": "B"}},
            {**same, "email": "b@a.example"},
        ]
    ):
        await board_town.count(seen(n, **news))
        await keeps.turn()
    assert read == [1, 0, 0, 1, 1]
    assert await agrees(board_town.engine)


async def test_what_cannot_be_read_or_stored_holds_nobody_up(board_town: Town) -> None:
    """An event that cannot be read any more, half a character, a NUL: shown with what there is."""
    await board_town.count(
        seen(1, user_id="u1", email="a@a.example", traits={"name": "x\0y"}),
        seen(2, user_id="u2", traits={"name": "Bo", "company": 17}),
        seen(3, user_id="u3"),
    )
    await board_town.fetch("UPDATE events SET body = '{}' WHERE name = 'page.viewed' AND body LIKE '%u3%'")
    await keeper(board_town).turn()
    found = {(card.name, card.company) for card in await cards(board_town.engine)}
    assert found == {("xy", ""), ("Bo", "17"), ("", "")}
    assert names([seen(1, user_id="u1", traits={"name": "half \ud83d"})]).name == "half ?"


async def test_counting_goes_on_whatever_lists_cannot_show(
    board_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop says so and tries again."""
    turns = 0

    async def broken(*_: Any) -> bool:
        nonlocal turns
        turns += 1
        raise ZeroDivisionError

    monkeypatch.setattr(BoardKeeper, "turn", broken)
    task = asyncio.create_task(keeper(board_town).run())
    await until(lambda: turns > 2)
    assert not task.done()
    task.cancel()


async def test_while_events_wait_it_takes_a_hundredth_of_the_time(town: Town) -> None:
    """On any machine; else it rests between rounds, and hardly within one."""
    waiting = True
    keeps = BoardKeeper(database=town.engine, noted=NotedLeads(), interval_s=1, behind=lambda: waiting)
    assert (keeps._rest_s(0.5, goes_on=True), keeps._rest_s(0.0, goes_on=True)) == (50.0, 1)
    waiting = False
    assert keeps._rest_s(0.5, goes_on=True) < 0.1
    assert keeps._rest_s(0.5, goes_on=False) == 1


async def test_a_decision_shows_at_once(board_town: Town) -> None:
    """Whoever decides and ends leaves nothing for a walk to find."""
    await board_town.count(seen(1, user_id="u1"), seen(2, source="crm", kind="crm", user_id="c1"))
    await keeper(board_town).turn()
    async with transaction(board_town.engine) as connection:
        decider = Decider(connection=connection, counter=board_town.counter, made_by="test")
        await decider.one_person(await find(connection, "u1", RULES), await find(connection, "c1", RULES))
    assert not await shows_the_right_leads(board_town)
    await write_noted(board_town.engine, board_town.counter.models.noted)
    assert await agrees(board_town.engine)


async def test_a_scorer_and_its_sweep_show_what_they_do(world: World) -> None:
    """Counted through the consumer, left again because time passed."""
    scorer = world.scorer()
    await scorer.start()
    await walked(world.engine)
    noted = scorer.consumer.counter.models.noted
    task = asyncio.create_task(BoardKeeper(database=world.engine, noted=noted, interval_s=0.01).run())
    old = timedelta(days=400)
    await world.send(
        [
            event("m1", user_id="u1", email="a@a.example", name="form.submitted"),
            event("m2", user_id="u2", email="b@a.example", name="email.clicked", age=old),
            event("m3", user_id="u2", name="email.clicked"),
        ]
    )
    await world.until_taken(3)
    await until(lambda: agrees(world.engine))
    assert [card.stage for card in await cards(world.engine)] == ["mql", "lead"]
    await world.fetch(
        "INSERT INTO lead_due SELECT lead_id, now() FROM leads ON CONFLICT (lead_id) "
        "DO UPDATE SET due_at = now() RETURNING 1"
    )
    before = await cards(world.engine)
    assert await Sweep(database=world.engine, counter=scorer.consumer.counter, interval_s=1).turn() == 2
    await until(lambda: agrees(world.engine))
    assert [card.scored_at for card in before] != [card.scored_at for card in await cards(world.engine)]
    task.cancel()
