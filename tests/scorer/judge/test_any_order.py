"""Whatever the order in which mails, clicks and visits arrive, in whatever batches: the same verdicts.

Random stories of a few people at one company, told in order and at once, and then in random order: what
does not count, each score and the books must come out alike.
"""

import random

import pytest

from services.scorer.judge.acts import act
from services.scorer.judge.thresholds import Thresholds
from services.scorer.judge.verdicts import verdicts
from shared.events import Event
from tests.scorer.judge.conftest import LIMITS
from tests.scorer.judge.mails import (
    GATEWAY,
    HOME,
    MAC,
    WINDOWS,
    MailTown,
    clicked,
    cut,
    delivered,
    happened,
    opened,
    scan,
    sent_form,
    viewed,
)

STORIES = 4
PEOPLE = ("bo@kunde.example", "cy@kunde.example", "di@kunde.example")
NETWORKS = (HOME, HOME, GATEWAY, "203.0.114.0", "192.0.2.0", "100.64.7.0", "")


def story(chance: random.Random) -> list[Event]:
    """What happens to three people with two mails each, and what they do."""
    events: list[Event] = []
    crowd = chance.random() < 0.5
    for number, who in enumerate(PEOPLE):
        user = f"u{number}"
        if chance.random() < 0.8:
            events.append(_tie(who, user))
        for mail in ("m1", "m2"):
            start = chance.choice([0, 90, 86_400 * 3])
            if chance.random() < 0.8:
                events.append(delivered(start, mail=mail, who=who))
            events += _clicks(chance, start, mail, who)
        events += _visits(chance, who, user)
        events += [clicked(3_000 + number, mail="m1", who=who)] if crowd else []
    return list({one.event_id: one for one in events}.values())


def _tie(who: str, user: str) -> Event:
    """The login that says whose address it is, before all that happens."""
    named = {"user_id": user, "email": who}
    return happened(f"tie {who}", "person.identified", -50, kind="web", source="web", **named)


def _clicks(chance: random.Random, start: int, mail: str, who: str) -> list[Event]:
    events = scan(start + 1, chance.randint(2, 4), mail=mail, who=who) if chance.random() < 0.3 else []
    for _ in range(chance.randint(0, 4)):
        at_s = start + chance.choice([2, 4, 30, 61, 600, 603, 1200])
        ip, agent = chance.choice(NETWORKS), chance.choice([MAC, WINDOWS])
        link = chance.choice(["/a", "/b", "/c", "/d", "/do-not-follow"])
        events.append(clicked(at_s, link, mail=mail, who=who, ip=ip, agent=agent))
    if chance.random() < 0.5:
        at_s = start + chance.choice([1, 20, 700, 86_400])
        events.append(opened(at_s, mail=mail, who=who, agent=chance.choice([MAC, "Mozilla/5.0"])))
    return events


def _visits(chance: random.Random, who: str, user: str) -> list[Event]:
    events = [
        viewed(at_s, chance.choice(["/a", "/b"]), who=user, ip=chance.choice(NETWORKS))
        for at_s in chance.sample([3, 8, 605, 1210, 90_000], chance.randint(0, 4))
    ]
    if chance.random() < 0.3:
        events.append(sent_form(chance.choice([10, 86_400.0 * 5.5]), who=who))
    if chance.random() < 0.2:
        events += [viewed(2_000 + n / 30, f"/p{n}", who=user) for n in range(21)]
    return events


async def seen(town: MailTown) -> tuple[dict[str, str], list[tuple[int, int]], list[tuple[str, list[str]]]]:
    """What does not count and why, with all signals; score and counted events of each lead."""
    scores = await town.fetch(
        "SELECT score, event_count::int AS n FROM leads WHERE merged_into IS NULL ORDER BY 1, 2"
    )
    said = await town.fetch("SELECT event_id::text AS id, signals FROM event_verdicts ORDER BY 1")
    return (
        await town.not_counted(),
        [(row["score"], row["n"]) for row in scores],
        [(row["id"], row["signals"]) for row in said],
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(6))
async def test_any_arrival_gives_the_same_verdicts(town: MailTown, seed: int) -> None:
    """Shuffled, cut and repeated, the story comes out as it does in order and at once."""
    chance = random.Random(seed)
    for _ in range(STORIES):
        events = sorted(story(chance), key=lambda one: one.occurred_at)
        await town.in_batches([events])
        expected = await seen(town)
        for _ in range(2):
            shuffled = chance.sample(events, len(events))
            batches = [[*batch, *chance.sample(events, 1)] for batch in cut(shuffled, chance)]
            await town.in_batches(batches)
            told = [[one.extra["message"] for one in batch] for batch in batches]
            assert await seen(town) == expected, told
            await town.clean()


@pytest.mark.parametrize("seed", range(50))
def test_the_verdicts_know_no_order(seed: int) -> None:
    """The same events in any order are judged alike, and none is judged that nobody did."""
    chance = random.Random(seed)
    acts = [act(one, believed=True) for one in story(chance)]
    crowded = {one.event_id for one in acts if one.name == "email.clicked" and chance.random() < 0.3}
    found = verdicts(acts, crowded, LIMITS)
    assert verdicts(chance.sample(acts, len(acts)), crowded, LIMITS) == found
    assert {one.name for one in acts if one.event_id in found}.isdisjoint(
        {"email.delivered", "email.replied"}
    )
    assert verdicts(acts, crowded, Thresholds(on=False)) == {}
