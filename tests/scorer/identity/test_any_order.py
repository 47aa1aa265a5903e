"""Whatever the order in which evidence comes, in whatever batches: the same people.

Identity is modelled here once more, from the guide alone and as simply as possible: pairs of strong
identifiers in the order of time, joined unless one person would have two user ids of a namespace.
"""

import random
from collections.abc import Iterable

import pytest

from shared.events import Event
from tests.scorer.identity.people import Town, consistent, seen

SOURCES = (("product", "product"), ("crm", "crm"), ("helpdesk", "crm"))
NAMES = (*["page.viewed"] * 12, "person.objected", "person.objection_withdrawn")
TRIALS = 100


def modelled(events: Iterable[Event]) -> set[frozenset[str]]:
    """Who is who by the guide: the model that the product is held against."""
    ordered = sorted(events, key=lambda one: (one.occurred_at, one.event_id))
    names = [named(event) for event in ordered]
    group = {name: {name} for some in names for name in some}
    aliases = [
        (names[place][0], other)
        for place, event in enumerate(ordered)
        if event.previous_id and (other := f"{event.source}:{event.previous_id}") in group
    ]
    account: dict[str, str] = {}
    for one, other in aliases:
        if first(account, one) != first(account, other):
            account[first(account, other)] = first(account, one)
        join(group, account, one, other)
    for some in names:
        if len(some) > 1:
            join(group, account, *some)
    return {frozenset(some) for some in group.values()}


def named(event: Event) -> list[str]:
    """The strong identifiers of an event, the user id first."""
    user = [f"{event.source}:{event.user_id}"] if event.user_id else []
    return user + ([event.email] if event.email else [])


def first(account: dict[str, str], name: str) -> str:
    """What a user id was called at first."""
    while name in account:
        name = account[name]
    return name


def join(group: dict[str, set[str]], account: dict[str, str], one: str, other: str) -> None:
    """Make two people one, unless it would have two accounts of one source."""
    together = group[one] | group[other]
    accounts = {first(account, name) for name in together if ":" in name}
    if len(accounts) == len({name.split(":")[0] for name in accounts}):
        group.update(dict.fromkeys(together, together))


def crowd(chance: random.Random) -> list[Event]:
    """Random events of a few people, who share devices, addresses and systems."""
    events = []
    for number in range(chance.randint(4, 14)):
        source, kind = chance.choice(SOURCES)
        user = chance.choice([None, "1", "2", "3"])
        email = chance.choice([None, "a@a.example", "b@b.example", "c@c.example"])
        device = chance.choice([None, "d1", "d2"])
        previous = chance.choice(["1", "2", "d1"]) if user and chance.random() < 0.2 else None
        if not (user or email or device):
            device = "d1"
        if previous in {user, device}:
            previous = None
        events.append(
            seen(
                number,
                source=source,
                kind=kind,  # type: ignore[arg-type]
                user_id=user,
                email=email,
                anonymous_id=device,
                previous_id=previous,
                name=chance.choice(NAMES),
            )
        )
    return events


async def arrive(town: Town, events: list[Event], chance: random.Random) -> set[frozenset[str]]:
    """Count the events in random batches, some of them twice; who is who afterwards."""
    await town.clear()
    rest = list(events)
    while rest:
        size = chance.randint(1, 4)
        batch, rest = rest[:size], rest[size:]
        await town.count(*batch, *chance.sample(events, chance.randint(0, 1)))
    return {frozenset(names) for names in (await town.people()).values()}


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(4))
async def test_any_arrival_gives_the_same_people(town: Town, seed: int) -> None:
    """Shuffled, split and repeated evidence makes the people that the guide describes."""
    chance = random.Random(seed)
    for _ in range(TRIALS // 4):
        events = crowd(chance)
        shuffled = chance.sample(events, len(events))
        found = await arrive(town, shuffled, chance)
        story = [
            (one.occurred_at.minute, one.source, one.user_id, one.email, one.anonymous_id, one.previous_id)
            for one in shuffled
        ]
        assert found == modelled(events), story
        assert not await town.fetch("SELECT 1 FROM regroups")
        await consistent(town)
