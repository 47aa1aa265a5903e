"""What people have met in the field, in several orders of arrival: what counts of it, and what does not."""

from collections.abc import Sequence

import pytest

from shared.events import Event
from tests.scorer.judge.mails import (
    ADA,
    GATEWAY,
    HOME,
    MAC,
    WINDOWS,
    MailTown,
    clicked,
    delivered,
    happened,
    opened,
    orders,
    scan,
    sent_form,
    viewed,
)

pytestmark = pytest.mark.asyncio

MINUTES = 60.0


async def in_any_order(town: MailTown, events: Sequence[Event], expected: dict[str, str]) -> None:
    """Whatever the order and the batches: these do not count, all others do, and nothing is off."""
    for batches in orders(events):
        await town.in_batches(batches)
        story = [[one.extra["message"] for one in batch] for batch in batches]
        assert await town.not_counted() == expected, story
        await town.clean()


def named(events: Sequence[Event], reason: str) -> dict[str, str]:
    return {one.extra["message"]: reason for one in events}


async def test_a_gateway_that_fetches_all_links_at_delivery_counts_nothing(town: MailTown) -> None:
    """Seven links from one address within a second of the delivery (mautic 16263, 9162)."""
    links = scan(1, 7)
    await in_any_order(town, [delivered(), *links], named(links, "many_links"))


async def test_the_persons_click_counts_and_the_scanners_does_not(town: MailTown) -> None:
    """Another network and operating system 12 s after the person (resend-node 901)."""
    person = clicked(20 * MINUTES)
    scanner = clicked(20 * MINUTES + 12, ip=GATEWAY, agent=WINDOWS)
    await in_any_order(town, [delivered(), person, scanner], named([scanner], "other_client"))


async def test_the_visit_says_which_click_was_the_persons(town: MailTown) -> None:
    """A scanner that is first: the page was viewed from where the other click came."""
    known = happened(
        "who", "person.identified", -60, kind="web", source="web", user_id="u1", email="ada@firma.example"
    )
    scanner = clicked(20 * MINUTES, ip=GATEWAY, agent=WINDOWS)
    person, visit = clicked(20 * MINUTES + 12), viewed(20 * MINUTES + 14)
    await in_any_order(town, [known, delivered(), scanner, person, visit], named([scanner], "other_client"))


async def test_clicks_before_any_open_are_a_machines(town: MailTown) -> None:
    """A minute before the mail is opened for the first time (django-anymail 200)."""
    early = [clicked(5 * MINUTES), clicked(5 * MINUTES + 20, "/imprint")]
    late = clicked(8 * MINUTES, "/prices")
    events = [delivered(), *early, opened(6 * MINUTES + 30), late]
    await in_any_order(town, events, named(early, "before_open"))


async def test_a_person_who_clicks_the_only_link_after_twenty_minutes_counts(town: MailTown) -> None:
    """Nothing is held against that, with an open before it or without."""
    await in_any_order(town, [delivered(), clicked(20 * MINUTES)], {})
    await in_any_order(town, [delivered(), opened(19 * MINUTES), clicked(20 * MINUTES)], {})


async def test_a_link_that_people_do_not_see_gives_a_machine_away(town: MailTown) -> None:
    """The trap, and what the same network clicked within a minute of it; the person's click stays."""
    machine = [
        clicked(10 * MINUTES, "/do-not-follow", ip=GATEWAY, agent=WINDOWS),
        clicked(10 * MINUTES + 9, "/offer", ip=GATEWAY, agent=WINDOWS),
    ]
    person = clicked(30 * MINUTES)
    await in_any_order(town, [delivered(), *machine, person], named(machine, "trap_link"))


async def test_ones_own_network_is_no_lead(town: MailTown) -> None:
    """Clicks, visits and forms from the office do not count; a datacentre's clicks neither, its visits do."""
    office = [clicked(20 * MINUTES, ip="192.0.2.0"), viewed(21 * MINUTES, ip="192.0.2.0")]
    cloud = clicked(40 * MINUTES, "/prices", ip="100.64.7.0")
    expected = named(office, "own_network") | named([cloud], "datacentre")
    await in_any_order(town, [delivered(), *office, cloud, viewed(50 * MINUTES, ip="100.64.7.0")], expected)


async def test_three_recipients_of_one_company_in_the_same_seconds_are_its_gateway(town: MailTown) -> None:
    """The clicks of three do not count, one who clicks a minute later does; private addresses say nothing."""
    people = [f"{name}@kunde.example" for name in ("bo", "cy", "di", "ed")]
    mails = [delivered(who=who) for who in people]
    crowd = [clicked(10 * MINUTES + n, who=who) for n, who in enumerate(people[:3])]
    private = [clicked(10 * MINUTES, who=f"p{n}@freemail.example") for n in range(4)]
    events = [*mails, *crowd, clicked(11 * MINUTES + 5, who=people[3]), *private]
    await in_any_order(town, events, named(crowd, "neighbours"))


async def test_a_quick_click_counts_once_a_visit_follows(town: MailTown) -> None:
    """Four seconds after delivery nobody knows; a page view of the person within minutes says it."""
    known = sent_form(-30 * 24 * 60 * MINUTES)
    tie = happened(
        "tie", "person.identified", -99, kind="web", source="web", user_id="u1", email="ada@firma.example"
    )
    quick = clicked(4)
    await in_any_order(town, [known, tie, delivered(), quick], named([quick], "quick_click"))
    await in_any_order(town, [known, tie, delivered(), quick, viewed(9)], {})


async def test_the_visit_of_a_later_click_is_no_excuse_for_the_gateways(town: MailTown) -> None:
    """One link, fetched at delivery; the person clicks five minutes later and visits: one click counts."""
    tie = happened("tie", "person.identified", -99, kind="web", source="web", user_id="u1", email=ADA)
    gateway = clicked(1, ip=GATEWAY, agent=WINDOWS)
    events = [tie, delivered(), gateway, clicked(5 * MINUTES), viewed(5 * MINUTES + 3)]
    await in_any_order(town, events, named([gateway], "quick_click"))


async def test_who_proves_human_later_gets_the_weak_verdict_lifted(town: MailTown) -> None:
    """A form, a reply or reading two weeks later; what seven links at delivery say is never lifted."""
    long_ago = -10 * 24 * 60 * MINUTES
    quick, links = clicked(long_ago + 4), scan(24 * 60 * MINUTES, 7, mail="m2")
    mails = [delivered(long_ago), quick, delivered(24 * 60 * MINUTES, mail="m2"), *links]
    form = sent_form(3 * 24 * 60 * MINUTES)
    reply = happened("reply", "email.replied", 3 * 24 * 60 * MINUTES, email="ada@firma.example")
    for proof in (form, reply):
        await in_any_order(town, [*mails, proof], named(links, "many_links"))
    tie = happened(
        "tie", "person.identified", -99, kind="web", source="web", user_id="u1", email="ada@firma.example"
    )
    reading = [viewed(2 * 24 * 60 * MINUTES), viewed(2 * 24 * 60 * MINUTES + 40, "/prices")]
    await in_any_order(town, [tie, *mails, *reading], named(links, "many_links"))
    await in_any_order(
        town, [tie, *mails, reading[0]], named(links, "many_links") | named([quick], "quick_click")
    )


async def test_many_links_within_a_minute_from_everywhere_are_a_farm(town: MailTown) -> None:
    """Four links, each once, from two systems and three networks, twenty minutes after delivery."""
    agents = (MAC, WINDOWS, MAC, WINDOWS)
    farm = [
        clicked(20 * MINUTES + 12 * n, f"/link-{n}", ip=f"203.0.{n}.0", agent=agent)
        for n, agent in enumerate(agents)
    ]
    await in_any_order(town, [delivered(), *farm], named(farm, "several_clients"))


async def test_more_in_a_second_than_a_person_can_is_a_burst(town: MailTown) -> None:
    """Twenty page views within a second; nineteen of another second count."""
    burst = [viewed(5 + n / 25, f"/p{n}") for n in range(20)]
    fast = [viewed(500 + n / 25, f"/q{n}") for n in range(19)]
    await in_any_order(town, [*burst, *fast], named(burst, "burst"))


async def test_opens_by_a_privacy_proxy_are_worth_nothing(town: MailTown) -> None:
    """A bare Mozilla/5.0 is Apple's; an open by a person counts."""
    proxy = opened(30, ip=GATEWAY, agent="Mozilla/5.0")
    await in_any_order(town, [delivered(), proxy, opened(20 * MINUTES)], named([proxy], "privacy_proxy"))


async def test_without_a_message_nothing_is_held_against_a_click(town: MailTown) -> None:
    """A provider that says not which mail it was: quick clicks on many links may be of many mails."""
    links = [
        happened(
            f"c{n}",
            "email.clicked",
            n * 5.0,
            email="ada@firma.example",
            properties={"url": f"/{n}"},
            context={"ip": HOME},
        )
        for n in range(4)
    ]
    await in_any_order(town, links, {})


async def test_what_a_secret_source_sends_counts_whatever_its_user_agent(town: MailTown) -> None:
    """Curl and python-requests are what servers are written with."""
    track = [
        happened(
            f"t{n}",
            "form.submitted",
            n * 60.0,
            kind="form",
            source="crm",
            email="ada@firma.example",
            context={"user_agent": agent},
        )
        for n, agent in enumerate(("curl/8.5.0", "python-requests/2.32"))
    ]
    await in_any_order(town, track, {})
