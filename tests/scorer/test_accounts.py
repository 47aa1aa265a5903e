"""Accounts on a real Postgres: who belongs to which, what they add up to, and when they move."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.scorer.accounts import AccountKeeper
from services.scorer.rescore import Rescore
from services.scorer.store import account_queue
from services.scorer.store import accounts as stored
from shared import database as postgres
from shared.errors import Transient
from shared.events import Event
from shared.ids import LeadId
from shared.leads.account_of import account_of
from tests.scorer.conftest import MODEL, Scorer, World, event
from tests.waiting import until

pytestmark = pytest.mark.asyncio

SECTION = """
lists:
  free-mail: [gmail.com, gmx.de]
accounts:
  score: best
  active_within: 30d
  private_domains: [free-mail]
  stages:
    engaged:
      label: {en: Engaged, de: Aktiv}
      enter: {at_least: {score: 30, active_people: 1}}
      leave: [{below: {score: 20}}, {below: {active_people: 1}}]
    hot:
      label: {en: Hot, de: Heiss}
      enter: {at_least: {score: 30, active_people: 3}}
      leave: {below: {active_people: 2}}
"""


@pytest.fixture
def model() -> str:
    return MODEL + SECTION


def keeper(scorer: Scorer) -> AccountKeeper:
    return AccountKeeper(database=scorer.engine, models=scorer.consumer.counter.models, interval_s=0.05)


async def taken(world: World, events: Sequence[Event]) -> Scorer:
    """A scorer that has counted these events on top of whatever there was."""
    before = (await world.books())["taken"]
    if world.scorers:
        scorer = world.scorers[0]
    else:
        scorer = world.scorer()
        await rescored(scorer)
        await scorer.start()
    await world.send(events)
    await world.until_taken(before + len(events))
    return scorer


async def rescored(scorer: Scorer) -> None:
    """The walk that a publish begins is over."""
    rescore = Rescore(database=scorer.engine, counter=scorer.consumer.counter, interval_s=1)
    while await rescore.turn():
        continue


async def settled(world: World, events: Sequence[Event] = ()) -> Scorer:
    """The same, and every account has looked."""
    scorer = await taken(world, events)
    await looked(world, scorer)
    return scorer


async def looked(world: World, scorer: Scorer) -> None:
    """The queue is worked off."""
    each = keeper(scorer)
    for _ in range(100):
        if not await each.turn() and not await world.fetch("SELECT FROM account_queue"):
            return
    raise AssertionError("the queue never ends")


async def accounts(world: World) -> dict[str, dict[str, Any]]:
    """Every account that somebody belongs to."""
    rows = await world.fetch("SELECT * FROM accounts WHERE people > 0")
    return {row["name"]: row for row in rows}


async def people(world: World) -> dict[str, int]:
    return {name: row["people"] for name, row in (await accounts(world)).items()}


async def moves(world: World) -> list[tuple[str, str]]:
    rows = await world.fetch("SELECT stage, cause FROM account_transitions ORDER BY at, sequence")
    return [(row["stage"], row["cause"]) for row in rows]


def form(message: str, email: str, **fields: Any) -> Event:
    return event(message, name="form.submitted", kind="form", email=email, **fields)


async def test_three_people_of_one_domain_are_one_account(world: World) -> None:
    """It has the best score of them, three active people, and passes one stage after the other."""
    await settled(world, [form("a", "a@firma.example"), form("a2", "a@firma.example")])
    await settled(world, [event("b", email="b@firma.example")])
    await settled(world, [event("c", email="c@firma.example")])
    account = (await accounts(world))["firma.example"]
    assert (account["kind"], account["people"], account["active_people"]) == ("domain", 3, 3)
    assert (account["score"], account["stage"], account["sequence"]) == (60, "hot", 2)
    assert await moves(world) == [("engaged", "people"), ("hot", "people")]


async def test_free_mail_is_nobodys_company(world: World) -> None:
    """Private addresses make no account, however many share a domain, and leave nothing in the queue."""
    await taken(world, [form("a", "a@gmail.com"), form("b", "b@gmail.com")])
    assert await world.fetch("SELECT FROM account_queue") == []
    assert await people(world) == {}


async def test_an_account_id_beats_the_domain(world: World) -> None:
    """Whoever an event gave an account id belongs there, whatever their addresses say before and after."""
    await settled(
        world,
        [
            form("a", "a@firma.example"),
            event("g", email="a@firma.example", account_id="acme"),
            form("a2", "a@firma.example", age=-timedelta(0)),
        ],
    )
    assert await people(world) == {"acme": 1}
    assert (await accounts(world))["acme"]["kind"] == "account_id"


async def test_who_changes_company_moves_with_later_events(world: World) -> None:
    """The person leaves one account and joins the other; the one left has nobody and falls."""
    hour = timedelta(hours=1)
    await settled(world, [form("a", "a@old.example", user_id="u", age=2 * hour)])
    assert await people(world) == {"old.example": 1}
    await settled(world, [form("b", "a@new.example", user_id="u", age=hour)])
    assert await people(world) == {"new.example": 1}
    old = (await world.fetch("SELECT * FROM accounts WHERE name = 'old.example'"))[0]
    assert (old["people"], old["score"], old["stage"]) == (0, 0, "none")


async def test_a_private_address_takes_nobody_out_of_their_company(world: World) -> None:
    """Where somebody works is not told by where they read their private mail."""
    await settled(world, [form("a", "a@firma.example", user_id="u", age=timedelta(hours=1))])
    await settled(world, [form("b", "a@gmail.com", user_id="u")])
    assert await people(world) == {"firma.example": 1}


async def test_what_happened_earlier_and_arrives_late_moves_nobody(world: World) -> None:
    """The newest event decides, not the one that came last."""
    hour = timedelta(hours=1)
    await settled(world, [event("b", user_id="u", account_id="new", age=hour)])
    await settled(world, [event("a", user_id="u", account_id="old", age=5 * hour)])
    assert await people(world) == {"new": 1}


async def test_two_leads_that_merge_are_one_person(world: World) -> None:
    """The loser's row vanishes from its account; the winner belongs where the newest of both says."""
    hour = timedelta(hours=1)
    await settled(world, [form("a", "a@one.example", age=3 * hour), event("b", user_id="u", age=2 * hour)])
    await settled(world, [event("c", user_id="u", account_id="two", age=2 * hour)])
    assert await people(world) == {"one.example": 1, "two": 1}
    await settled(world, [event("m", user_id="u", email="a@one.example")])
    assert len(await world.fetch("SELECT FROM leads WHERE merged_into IS NOT NULL")) == 1
    assert await people(world) == {"two": 1}
    assert len(await world.fetch("SELECT FROM account_members")) == 1


async def test_time_makes_people_inactive_and_the_account_moves(world: World) -> None:
    """When the last active person falls out of the window the account is looked at by itself."""
    almost = timedelta(days=30) - timedelta(seconds=3)
    scorer = await settled(
        world, [form("a", "a@firma.example", age=almost), form("a2", "a@firma.example", age=almost)]
    )
    account = (await accounts(world))["firma.example"]
    assert (account["active_people"], account["stage"]) == (1, "engaged")

    async def fallen() -> bool:
        await keeper(scorer).turn()
        return bool((await accounts(world))["firma.example"]["stage"] == "none")

    await until(fallen, within_s=20)
    assert await moves(world) == [("engaged", "people"), ("none", "time")]


async def test_an_account_is_due_when_the_next_person_becomes_inactive(world: World) -> None:
    """Thirty days after the least recent of the active people did something, to the second."""
    await settled(world, [form("a", "a@firma.example", age=timedelta(days=29)), form("b", "b@firma.example")])
    due = (await world.fetch("SELECT due_at - now() AS ahead FROM accounts"))[0]["ahead"]
    assert timedelta(hours=23, minutes=58) < due <= timedelta(days=1)


async def test_what_we_send_makes_nobody_active(world: World) -> None:
    """A delivered e-mail and an entry by sales are no deeds of the person."""
    month = timedelta(days=40)
    await settled(
        world,
        [
            form("a", "a@firma.example", age=month),
            event("d", name="email.delivered", kind="email", email="a@firma.example"),
            event("s", name="lead.rejected", kind="crm", email="a@firma.example"),
        ],
    )
    assert (await accounts(world))["firma.example"]["active_people"] == 0


async def test_page_views_of_members_keep_them_active(world: World) -> None:
    """An event that says nothing about the company is noted too, if its person belongs to one."""
    month = timedelta(days=40)
    await settled(world, [form("a", "a@firma.example", anonymous_id="n", age=month)])
    assert (await accounts(world))["firma.example"]["active_people"] == 0
    await settled(world, [event("v", anonymous_id="n")])
    assert (await accounts(world))["firma.example"]["active_people"] == 1


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

    async def killed(*_: object) -> None:
        raise asyncpg.ConnectionDoesNotExistError("killed")

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

    monkeypatch.setattr("services.scorer.account_members.account_of", breaks)
    await keeper(scorer).turn_or_put_off()
    assert set(await people(world)) == {"firma.example", "good.example"}
    assert len(await world.fetch("SELECT FROM account_queue")) == 1


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
