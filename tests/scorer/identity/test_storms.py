"""Storms: many who turn out to be one in one batch, many who share what they cannot share."""

import random
from collections.abc import Sequence

import pytest

from shared.events import Event
from tests.scorer.identity.people import Town, consistent, seen

pytestmark = pytest.mark.asyncio

STAR = "family@x.example"


def star(points: int) -> list[Event]:
    """As many user ids of the product with one address, which the first of them has."""
    return [seen(number, user_id=f"u{number}", email=STAR) for number in range(points)]


async def regroups_of(town: Town, batches: Sequence[Sequence[Event]]) -> int:
    """Count these batches; returns how many regroups they asked for."""
    done, works = 0, town.counter.regroup

    async def regroup(*arguments: object, **named: object) -> object:
        nonlocal done
        done += 1
        return await works(*arguments, **named)  # type: ignore[arg-type]

    town.counter.regroup = regroup  # type: ignore[assignment, method-assign]
    for batch in batches:
        await town.count(*batch)
    return done


async def holds_its_first(town: Town, points: int) -> None:
    """Everybody is somebody, the first has the address, and each of the others conflicts with that."""
    people = (await town.people()).values()
    assert len(people) == points
    assert {"product:u0", STAR} in people
    assert len(await town.fetch("SELECT 1 FROM identity_conflicts")) == points - 1
    await consistent(town)


async def test_a_hundred_cookies_of_one_person(town: Town) -> None:
    """A hundred visitors become one person in one batch."""
    await town.count(*(seen(number, anonymous_id=f"c{number}") for number in range(100)))
    await town.count(*(seen(200 + number, user_id="u", anonymous_id=f"c{number}") for number in range(100)))
    assert [
        row["event_count"] for row in await town.fetch("SELECT * FROM leads WHERE merged_into IS NULL")
    ] == [200]
    await consistent(town)


@pytest.mark.parametrize("known", ["known", "new"])
async def test_a_chain_of_merges_in_one_batch(town: Town, known: str) -> None:
    """A is B, B is C … Y is Z, told in any order: one person, whether they were leads before or not."""
    addresses = [f"a{number}@x.example" for number in range(25)]
    if known == "known":
        await town.count(*(seen(number, email=one) for number, one in enumerate(addresses)))
    links = [
        seen(100 + number, source=f"s{number}", kind="crm", user_id=one, email=addresses[number + 1])
        for number, one in enumerate(addresses[:-1])
    ]
    random.Random(1).shuffle(links)
    await town.count(*links)
    assert len(await town.people()) == 1
    await consistent(town)


async def test_a_star_in_one_batch_is_regrouped_once(town: Town) -> None:
    """Sixty conflicts about the same people ask sixty times, and are answered with one regroup."""
    events = star(60)[::-1]
    assert await regroups_of(town, [events]) == 1
    await holds_its_first(town, 60)


async def test_a_star_in_any_order_is_regrouped_seldom(town: Town) -> None:
    """Who comes after the one who has the address is refused without a look at the history."""
    events = star(60)
    random.Random(1).shuffle(events)
    earlier = sum(
        event.occurred_at < min(before.occurred_at for before in events[:place])
        for place, event in enumerate(events)
        if place
    )
    assert await regroups_of(town, [[event] for event in events]) == earlier
    await holds_its_first(town, 60)


async def test_a_star_in_time_needs_no_regroup(town: Town) -> None:
    """More than are ever grouped anew: each is refused when it comes."""
    events = star(220)
    assert await regroups_of(town, [events[place : place + 50] for place in range(0, 220, 50)]) == 0
    await holds_its_first(town, 220)
