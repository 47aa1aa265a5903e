"""Accounts on a real Postgres: who belongs to which, what they add up to, and when they move."""

from datetime import timedelta
from typing import Any

import pytest

from services.scorer.judge.judge import Judge
from services.scorer.judge.thresholds import Thresholds
from services.scorer.people.decide import Decider
from shared import database as postgres
from shared.ids import LeadId
from tests.scorer.account_world import SECTION, accounts, form, keeper, looked, moves, people, settled, taken
from tests.scorer.conftest import MODEL, World, event
from tests.waiting import until

pytestmark = pytest.mark.asyncio


@pytest.fixture
def model() -> str:
    return MODEL + SECTION


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


async def test_a_visitor_who_becomes_known_brings_their_account_along(world: World) -> None:
    """The event that joins the two says nothing of a company; the history of both does."""
    hour = timedelta(hours=1)
    await settled(world, [event("v", anonymous_id="n", account_id="acme", age=3 * hour)])
    await settled(world, [event("u", user_id="u", age=2 * hour)])
    await settled(world, [event("j", user_id="u", anonymous_id="n", age=hour)])
    assert len(await world.fetch("SELECT FROM leads WHERE merged_into IS NOT NULL")) == 1
    known = await world.fetch("SELECT known FROM leads JOIN account_members USING (lead_id)")
    assert known == [{"known": True}]
    assert await people(world) == {"acme": 1}


@pytest.mark.parametrize("newest", [{}, {"account_id": "zenith"}])
async def test_of_a_long_history_the_newest_word_counts(world: World, newest: dict[str, Any]) -> None:
    """However many events came after the one that said an account id, and if another did later."""
    hour = timedelta(hours=1)
    await settled(
        world,
        [
            event("old", user_id="u", account_id="acme", age=200 * hour),
            *(event(f"v{n}", user_id="u", email="u@firma.example", age=(150 - n) * hour) for n in range(130)),
            event("new", user_id="u", email="u@firma.example", **newest),
        ],
    )
    assert await people(world) == {newest.get("account_id", "acme"): 1}


async def test_an_account_adds_up_scores_of_now(world: World) -> None:
    """What is stored with a lead is as old as its last event; points have faded since."""
    world.broken_by_hand = True
    scorer = await settled(world, [form("a", "a@firma.example")])
    await world.fetch("UPDATE leads SET score = 99")
    await world.fetch("UPDATE accounts SET due_at = now()")
    await looked(world, scorer)
    assert (await accounts(world))["firma.example"]["score"] == 30


async def test_time_makes_people_inactive_and_the_account_moves(world: World) -> None:
    """When the last active person falls out of the window the account is looked at by itself."""
    almost = timedelta(days=30) - timedelta(seconds=6)
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


async def test_who_objects_is_worth_nothing_to_the_company(world: World) -> None:
    """They stay its people, without a score and not active; the account falls to what the others are."""
    hour = timedelta(hours=1)
    await settled(
        world, [form("a", "a@firma.example", age=hour), event("b", email="b@firma.example", age=hour)]
    )
    account = (await accounts(world))["firma.example"]
    assert (account["people"], account["active_people"], account["stage"]) == (2, 2, "engaged")
    await settled(world, [event("o", name="person.objected", kind="crm", email="a@firma.example")])
    account = (await accounts(world))["firma.example"]
    assert (account["people"], account["active_people"], account["score"]) == (2, 1, 4)
    assert account["stage"] == "none"


async def test_what_a_mail_gateway_did_makes_nobody_active(world: World) -> None:
    """Three clicks count, and are taken back when the deliveries a second before them are told."""
    scorer = await settled(
        world, [form(f"f{n}", f"p{n}@firma.example", age=timedelta(days=40)) for n in range(3)]
    )
    scorer.consumer.counter.judge = Judge(Thresholds(), scorer.consumer.counter.rules)
    clicks, mails = (
        [
            event(
                f"{name} {n}",
                name=name,
                kind="email",
                email=f"p{n}@firma.example",
                age=timedelta(seconds=60 * n + before_s),
                properties={"sg_message_id": f"m{n}.filter", "url": "https://firma.example/offer"},
                context={"ip": f"203.0.{n}.1", "user_agent": "Chrome/146.0"},
            )
            for n in range(3)
        ]
        for name, before_s in (("email.clicked", 0), ("email.delivered", 1))
    )
    await settled(world, clicks)
    account = (await accounts(world))["firma.example"]
    assert (account["active_people"], account["stage"]) == (3, "hot")
    await settled(world, mails)
    assert len(await world.fetch("SELECT FROM events WHERE quarantine = 'quick_click'")) == 3
    account = (await accounts(world))["firma.example"]
    assert (account["active_people"], account["stage"]) == (0, "none")
    assert await moves(world) == [("hot", "people"), ("none", "people")]


async def test_what_another_person_did_makes_nobody_active(world: World) -> None:
    """Two leads that were one are taken apart: each is as active as it is by itself."""
    await settled(world, [form("a", "a@firma.example", age=timedelta(days=40))])
    await settled(world, [event("b", user_id="u", age=timedelta(days=1))])
    scorer = await settled(world, [event("m", user_id="u", email="a@firma.example", age=timedelta(days=35))])
    assert (await accounts(world))["firma.example"]["active_people"] == 1
    (loser,) = await world.fetch("SELECT lead_id FROM leads WHERE merged_into IS NOT NULL")
    async with postgres.transaction(world.engine) as connection:
        decider = Decider(connection=connection, counter=scorer.consumer.counter, made_by="test")
        await decider.two_people(LeadId(loser["lead_id"]))
    await looked(world, scorer)
    account = (await accounts(world))["firma.example"]
    assert (account["people"], account["active_people"]) == (2, 1)


async def test_who_did_something_long_before_much_that_others_did_is_still_active(world: World) -> None:
    """However many e-mails were delivered to them since."""
    hour = timedelta(hours=1)
    who = {"email": "a@firma.example", "account_id": "acme"}
    await settled(world, [form("a", age=200 * hour, **who)])
    await settled(
        world,
        [
            event(f"d{n}", name="email.delivered", kind="email", age=(150 - n) * hour, **who)
            for n in range(100)
        ],
    )
    assert (await accounts(world))["acme"]["active_people"] == 1
