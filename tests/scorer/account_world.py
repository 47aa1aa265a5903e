"""A world with accounts: the section, and how tests feed it, wait for it and read it."""

from collections.abc import Sequence
from typing import Any

from services.scorer.accounts.keep import AccountKeeper
from services.scorer.models.rescore import Rescore
from shared.events import Event
from tests.scorer.conftest import Scorer, World, event

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
