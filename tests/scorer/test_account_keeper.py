"""The keeper of accounts on a real Postgres: what it is told, when it looks, and what it survives."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from services.scorer.people.decide_events import EventDecider
from services.scorer.poison import CONSECUTIVE
from services.scorer.store import account_queue
from services.scorer.store import accounts as stored
from services.scorer.store.histories import By
from services.scorer.store.identities import IdentityRace
from shared import database as postgres
from shared.errors import Transient
from shared.events import Event
from shared.ids import EventId, LeadId
from shared.leads.account_of import account_of, last_act
from shared.leads.store.history import histories
from shared.scoring.engine.accounts import Member, look, numbers_of
from tests.scorer.account_world import (
    SECTION,
    accounts,
    form,
    keeper,
    looked,
    moves,
    people,
    rescored,
    settled,
    taken,
)
from tests.scorer.conftest import MODEL, Scorer, World, event
from tests.waiting import until

pytestmark = pytest.mark.asyncio


@pytest.fixture
def model() -> str:
    return MODEL + SECTION


async def test_page_views_of_strangers_are_not_noted(world: World) -> None:
    """Most events are by nobody's people; they cost no row."""
    await taken(world, [event(f"v{n}", anonymous_id=f"n{n}") for n in range(20)])
    assert await world.fetch("SELECT FROM account_queue") == []


async def test_doing_it_twice_changes_nothing(world: World) -> None:
    """Everything noted and due once more: no move, no other number but the time of the look."""
    scorer = await settled(world, [form("a", "a@firma.example"), event("b", email="b@firma.example")])
    before = await world.fetch("SELECT score, people, active_people, stage, since, sequence FROM accounts")
    await world.fetch("INSERT INTO account_queue (lead_id, says) SELECT lead_id, true FROM leads")
    await world.fetch("UPDATE accounts SET due_at = now() - interval '1 hour'")
    await looked(world, scorer)
    after = await world.fetch("SELECT score, people, active_people, stage, since, sequence FROM accounts")
    assert after == before
    assert len(await moves(world)) == 1


async def test_a_turn_that_dies_at_its_end_has_done_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the queue go in the transaction that worked them off, or stay."""
    scorer = await taken(world, [form("a", "a@firma.example")])

    async def killed(connection: Any, _: object) -> None:
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(account_queue, "remove", killed)
        with pytest.raises(Transient):
            await keeper(scorer).turn()
    assert await people(world) == {}
    assert len(await world.fetch("SELECT FROM account_queue")) == 1
    await looked(world, scorer)
    assert await people(world) == {"firma.example": 1}


async def test_what_is_noted_while_an_account_looks_is_looked_at_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that commits between the look and the removal keeps its row."""
    scorer = await taken(world, [form("a", "a@firma.example")])
    remove = account_queue.remove

    async def slow(connection: Any, done: Any) -> None:
        await taken(world, [form("a2", "a@firma.example")])
        await remove(connection, done)

    with monkeypatch.context() as patch:
        patch.setattr(account_queue, "remove", slow)
        await keeper(scorer).turn()
    assert (await accounts(world))["firma.example"]["score"] == 30
    assert len(await world.fetch("SELECT FROM account_queue")) == 1
    await looked(world, scorer)
    assert (await accounts(world))["firma.example"]["score"] == 60


async def test_no_batch_waits_for_an_account_that_looks(world: World) -> None:
    """While a turn is open, the same person's next event is counted."""
    scorer = await taken(world, [form("a", "a@firma.example")])
    async with postgres.transaction(scorer.engine) as connection:
        assert await account_queue.read(connection, LeadId(UUID(int=0)), [], 10)
        await taken(world, [form("a2", "a@firma.example")])


async def test_another_model_has_every_account_looked_at_again(world: World) -> None:
    """Once all leads are scored anew; domains that became private make no account any more."""
    scorer = await settled(world, [form("a", "a@firma.example"), form("b", "b@other.example")])
    assert set(await people(world)) == {"firma.example", "other.example"}
    text = (MODEL + SECTION).replace("gmx.de]", "gmx.de, other.example]").replace("points: 30", "points: 12")
    await world.publish(text)
    assert not await keeper(scorer).turn()
    assert set(await people(world)) == {"firma.example", "other.example"}, "it waits for the rescore"
    await rescored(scorer)
    await looked(world, scorer)
    assert await people(world) == {"firma.example": 1}
    assert (await accounts(world))["firma.example"]["score"] == 12
    assert ("none", "model") in await moves(world)
    assert await world.fetch("SELECT FROM accounts WHERE model_version = 1") == []


async def test_a_person_who_breaks_the_look_is_put_off_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The neighbours get their accounts; the one that breaks stays in the queue."""
    scorer = await taken(
        world, [form("a", "a@firma.example"), form("b", "b@bad.example"), form("c", "c@good.example")]
    )

    def breaks(history: Sequence[Event], private: frozenset[str]) -> Any:
        if history[-1].email == "b@bad.example":
            raise ZeroDivisionError
        return account_of(history, private)

    monkeypatch.setattr("services.scorer.accounts.members.account_of", breaks)
    await keeper(scorer).turn_or_put_off()
    assert set(await people(world)) == {"firma.example", "good.example"}
    assert len(await world.fetch("SELECT FROM account_queue")) == 1


async def test_an_account_that_breaks_the_look_is_put_off_with_whoever_comes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many people it has: each of them would break the look again, and that ends the scorer."""
    scorer = await taken(
        world,
        [
            *(form(f"b{n}", f"b{n}@bad.example") for n in range(2 * CONSECUTIVE + 5)),
            form("g", "g@good.example"),
        ],
    )

    def breaks(accounts: Any, everybody: Sequence[Any], *others: Any) -> Any:
        if len(everybody) != 1:
            raise ZeroDivisionError
        return look(accounts, everybody, *others)

    monkeypatch.setattr("services.scorer.accounts.keep.look", breaks)
    await keeper(scorer).turn_or_put_off()
    assert (await people(world))["good.example"] == 1


async def test_whoever_was_merged_away_does_not_come_back(world: World) -> None:
    """A note of the loser, looked at after that of the winner, finds that the lead is another now."""
    hour = timedelta(hours=1)
    scorer = await taken(
        world, [form("a", "a@one.example", age=3 * hour), event("b", user_id="u", age=2 * hour)]
    )
    await taken(world, [event("c", user_id="u", account_id="two", age=2 * hour)])
    await taken(world, [event("m", user_id="u", email="a@one.example")])
    assert len(await world.fetch("SELECT FROM account_queue")) == 2
    each = keeper(scorer)
    while await world.fetch("SELECT FROM account_queue"):
        await each.turn(1)
    assert await people(world) == {"two": 1}
    assert len(await world.fetch("SELECT FROM account_members")) == 1


async def test_a_lead_that_is_no_more_belongs_to_nothing(world: World) -> None:
    """Whoever erases a person notes the lead, and the account looks without them."""
    world.broken_by_hand = True
    scorer = await settled(world, [form("a", "a@firma.example"), event("b", email="b@firma.example")])
    await world.fetch(
        "WITH gone AS (DELETE FROM leads WHERE score = 30 RETURNING lead_id) "
        "INSERT INTO account_queue (lead_id, says) SELECT lead_id, true FROM gone"
    )
    await looked(world, scorer)
    account = (await accounts(world))["firma.example"]
    assert (account["people"], account["score"]) == (1, 4)


def any_event(chance: Random, number: int) -> Event:
    """One of a few people does something: on the website, at home, at one of three companies."""
    person = chance.randrange(12)
    said: dict[str, Any] = {"anonymous_id": f"cookie-{chance.randrange(20)}"} if chance.random() < 0.6 else {}
    if chance.random() < 0.5:
        said["user_id"] = f"user-{person}"
    if chance.random() < 0.4 or not said:
        at = chance.choice(["one.example", "two.example", "gmail.com", "three.example"])
        said["email"] = f"person-{person}@{at}"
    if chance.random() < 0.2:
        said["account_id"] = chance.choice(["acme", "zenith"])
    return event(
        f"e{number}",
        name=chance.choice(["page.viewed", "form.submitted", "email.delivered", "email.clicked"]),
        kind=chance.choice(["web", "form", "crm"]),
        age=timedelta(seconds=chance.randrange(60 * 86_400)),
        **said,
    )


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_at_once_accounts_are_what_histories_say(world: World, seed: int) -> None:
    """Two scorers count, merge and correct beside two keepers: the end is as if computed at leisure."""
    chance = Random(seed)
    first = await taken(world, [event("zero", anonymous_id="zero")])
    second = world.scorer()
    await second.start()
    keepers = [asyncio.create_task(keeper(one).run()) for one in (first, second)]
    events = [any_event(chance, number) for number in range(400)]
    for start in range(0, len(events), 20):
        await world.send(events[start : start + 20])
        await asyncio.sleep(0.02)
        await one_is_taken_back(world, first, chance)
    await world.until_taken(401)
    for _ in range(10):
        await one_is_taken_back(world, first, chance)
    for task in keepers:
        task.cancel()
    await asyncio.gather(*keepers, return_exceptions=True)
    await looked(world, first)

    assert len(await world.fetch("SELECT FROM leads WHERE merged_into IS NOT NULL")) > 3
    assert len(await world.fetch("SELECT FROM events WHERE quarantine = 'by_hand'")) > 10
    await _as_computed_at_leisure(world)


async def one_is_taken_back(world: World, scorer: Scorer, chance: Random) -> None:
    """Somebody decides that the newest event of some lead was no person's, as soon as there is one."""

    async def done() -> bool:
        newest = await world.fetch(
            "SELECT DISTINCT ON (lead_id) event_id FROM events WHERE quarantine IS NULL "
            "ORDER BY lead_id, occurred_at DESC"
        )
        if not newest:
            return False
        with suppress(IdentityRace):
            async with postgres.transaction(scorer.engine) as connection:
                by = By(name="test", note="a machine")
                decider = EventDecider(connection=connection, counter=scorer.consumer.counter, by=by)
                await decider.quarantine(EventId(chance.choice(newest)["event_id"]))
                return True
        return False

    await until(done, within_s=20)


async def _as_computed_at_leisure(world: World) -> None:
    model = world.model.model.accounts
    assert model
    async with postgres.transaction(world.engine) as connection:
        rows = await connection.fetch("SELECT lead_id, score, stage FROM leads WHERE merged_into IS NULL")
        known = await histories(connection, [row["lead_id"] for row in rows])
        now = await connection.fetchval("SELECT now()")
    homes: dict[str, list[Member]] = {}
    for row in rows:
        if home := account_of(known[row["lead_id"]], model.private_domains):
            acted = last_act(known[row["lead_id"]])
            one = Member(lead_id=row["lead_id"], score=row["score"], stage=row["stage"], last_act_at=acted)
            homes.setdefault(home.name, []).append(one)
    stored = await accounts(world)
    assert {name: row["people"] for name, row in stored.items()} == {
        name: len(some) for name, some in homes.items()
    }
    for name, some in homes.items():
        numbers = numbers_of(model, some, now)
        assert stored[name]["active_people"] == numbers.active_people
        assert abs(stored[name]["score"] - numbers.score) <= 1, "a point may have faded since"
    members = await world.fetch("SELECT lead_id, last_act_at FROM account_members")
    assert {row["lead_id"]: row["last_act_at"] for row in members} == {
        one.lead_id: one.last_act_at for some in homes.values() for one in some
    }


async def test_two_scorers_do_not_work_on_accounts_at_once(world: World) -> None:
    """The second finds nothing to do while the first is at it."""
    scorer = await taken(world, [form("a", "a@firma.example")])
    async with postgres.transaction(scorer.engine) as connection:
        assert await stored.begin(connection)
        assert not await keeper(scorer).turn()
        assert len(await world.fetch("SELECT FROM account_queue")) == 1


class TestWithoutTheSection:
    """A model that says nothing about accounts."""

    @pytest.fixture
    def model(self) -> str:
        return MODEL

    async def test_nothing_happens(self, world: World) -> None:
        """No note, no account, and a turn that does nothing."""
        scorer = await taken(world, [form("a", "a@firma.example")])
        assert not await keeper(scorer).turn()
        assert await world.fetch("SELECT FROM account_queue") == []
        assert await world.fetch("SELECT FROM accounts") == []
