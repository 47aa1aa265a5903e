"""Whose event is it: the rules of identity, as little stories."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from services.scorer.identify.evidence import evidence
from services.scorer.identify.facts import Facts, Held, Limits
from services.scorer.identify.picture import Picture, alone, together
from services.scorer.identify.place import place, place_quarantined, why_nobody
from shared.events import OWN_NAMESPACE, Event
from shared.ids import NOBODY, EventId, LeadId
from shared.leads.identifiers import Identifier
from tests.scorer.identity.people import RULES

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(number: int = 1, **fields: Any) -> Event:
    at = START + timedelta(minutes=number)
    return Event(
        **{
            "event_id": EventId(UUID(int=number)),
            "source": "web",
            "kind": "web",
            "name": "page.viewed",
            "occurred_at": at,
            "received_at": at,
            **fields,
        }
    )


def lead(number: int) -> LeadId:
    return LeadId(UUID(int=number))


def named(name: str) -> Identifier:
    """`user_id__u`, `email__x@x.example`, `anonymous_id__a`: the identifier so named."""
    kind, value = name.split("__")
    found = {"user_id": RULES.user_id, "email": RULES.address, "anonymous_id": RULES.anonymous_id}[kind](
        value
    )
    assert found is not None
    return found


def picture(owned: Mapping[str, int] | None = None, limits: Limits | None = None) -> Picture:
    """A picture that says whose each identifier is."""
    owners: dict[Identifier, Held] = {}
    facts: dict[LeadId, Facts] = {}
    for name, number in (owned or {}).items():
        one, at = named(name), START + timedelta(seconds=number)
        owners[one] = Held(lead(number), at, "in_use", one.namespace)
        before = facts.get(lead(number), Facts(known=False, first_seen_at=at))
        facts[lead(number)] = together(before, alone(one, at))
    fresh = count(100)
    return Picture(owners=owners, facts=facts, fresh=lambda: lead(next(fresh)), limits=limits or Limits())


def put(known: Picture, *events: Event) -> list[int]:
    """Place events in order and return the numbers of the leads they end in."""
    placed = [place(known, evidence(one, RULES)) for one in events]
    return [known.final(one).int for one in placed]


def test_a_new_visitor_becomes_a_lead() -> None:
    """An identifier nobody has makes a lead, and the next event with it finds that lead."""
    known = picture()
    assert put(known, event(1, anonymous_id="a"), event(2, anonymous_id="a")) == [100, 100]
    assert known.created == [lead(100)]
    assert not known.facts[lead(100)].known


def test_identify_joins_the_anonymous_past() -> None:
    """A user id that comes with a known device is attached to the visitor's lead, known from then on."""
    known = picture({"anonymous_id__a": 1})
    assert put(known, event(1, anonymous_id="a", user_id="u")) == [1]
    assert known.facts[lead(1)].known
    assert known.merges == []


def test_a_visitor_who_turns_out_to_be_known_is_merged() -> None:
    """A device's anonymous history goes to the person who becomes known on it."""
    known = picture({"anonymous_id__a": 1, "email__x@x.example": 2})
    assert put(known, event(1, anonymous_id="a", email="x@x.example")) == [2]
    assert [(merge.winner, merge.loser) for merge in known.merges] == [(lead(2), lead(1))]


def test_the_older_of_two_known_leads_wins() -> None:
    """Between two known leads the one seen first stays, whatever the order of identifiers."""
    known = picture({"email__x@x.example": 2, "user_id__u": 3})
    assert put(known, event(1, user_id="u", email="x@x.example")) == [2]


def test_two_user_ids_of_a_namespace_are_never_merged() -> None:
    """Two leads that each have a user id of the product stay two; the event goes to the user it names."""
    known = picture({"user_id__u": 1, "user_id__v": 2, "email__x@x.example": 2})
    assert put(known, event(1, user_id="u", email="x@x.example")) == [1]
    assert known.merges == []
    (conflict,) = known.conflicts.values()
    assert {conflict.one, conflict.other} == {named("user_id__u"), named("email__x@x.example")}
    assert conflict.reason == "two_user_ids"


def test_user_ids_of_two_namespaces_are_one_person() -> None:
    """The CRM's contact and the product's user with the same address are one lead."""
    known = picture({"user_id__u": 1, "email__x@x.example": 1})
    told = event(1, source="crm", kind="crm", user_id="c9", email="x@x.example")
    assert put(known, told) == [1]
    assert known.facts[lead(1)].namespaces == {OWN_NAMESPACE, "crm"}
    assert known.conflicts == {}


def test_the_same_id_in_two_namespaces_is_two_people() -> None:
    """The CRM's 17 is not the product's 17."""
    known = picture({"user_id__17": 1})
    assert put(known, event(1, source="crm", kind="crm", user_id="17")) == [100]


def test_a_device_never_joins_two_known_people() -> None:
    """A second address on the same device is another person; from then on the device serves that one."""
    known = picture({"email__x@x.example": 1, "anonymous_id__a": 1})
    events = event(1, email="y@y.example", anonymous_id="a"), event(2, anonymous_id="a")
    assert put(known, *events) == [100, 100]
    assert known.merges == []
    assert known.facts[lead(1)].anonymous_ids == 0


def test_a_late_event_does_not_take_a_device_back() -> None:
    """Who used a device last by the time of the events has it, whatever comes late."""
    known = picture({"email__x@x.example": 1, "anonymous_id__a": 1})
    put(known, event(9, email="y@y.example", anonymous_id="a"))
    assert put(known, event(4, email="z@z.example", anonymous_id="a"), event(10, anonymous_id="a")) == [
        101,
        100,
    ]


def test_a_late_event_takes_no_device_from_who_used_it_since() -> None:
    """Whoever had it first used it again after the late event: both are to be grouped anew, together."""
    known = picture()
    first = event(1, email="x@x.example", anonymous_id="a"), event(9, email="x@x.example", anonymous_id="a")
    put(known, *first)
    assert put(known, event(5, email="y@y.example", anonymous_id="a"), event(10, anonymous_id="a")) == [
        101,
        100,
    ]
    assert known.late_uses == {(lead(101), lead(100))}


def test_a_device_of_a_crowd_serves_nobody() -> None:
    """One more than the limit in a day, and its anonymous events belong to nobody."""
    known = picture(limits=Limits(people_per_device=2))
    visitors = [event(n, email=f"p{n}@besuch.example", anonymous_id="tablet") for n in (1, 2, 3)]
    assert put(known, *visitors) == [100, 101, 102]
    late = evidence(event(4, anonymous_id="tablet"), RULES)
    assert place(known, late) == NOBODY
    assert why_nobody(known, late) == "shared_device"
    assert known.shared == [named("anonymous_id__tablet")]


def test_two_people_a_day_are_no_crowd() -> None:
    """A device that another few people use each day stays in use."""
    known = picture(limits=Limits(people_per_device=2))
    day = 24 * 60
    for n in range(6):
        put(known, event(n * day, email=f"p{n}@besuch.example", anonymous_id="family"))
    assert known.shared == []


def test_who_had_a_device_months_ago_is_none_of_todays_people() -> None:
    """A laptop that goes to a colleague who lets another one try it is no shared device."""
    known = picture(limits=Limits(people_per_device=2))
    put(known, event(1, email="before@x.example", anonymous_id="laptop"))
    months = 60 * 24 * 60
    put(known, *(event(months + n, email=f"p{n}@x.example", anonymous_id="laptop") for n in (1, 2)))
    assert known.shared == []
    put(known, event(months + 3, email="p3@x.example", anonymous_id="laptop"))
    assert known.shared == [named("anonymous_id__laptop")]


def test_merges_within_a_batch_are_followed() -> None:
    """Events placed before a merge end in the lead that is left."""
    known = picture()
    placed = put(
        known,
        event(1, anonymous_id="a"),
        event(2, email="x@x.example"),
        event(3, anonymous_id="a", email="x@x.example"),
    )
    assert [known.final(lead(one)) for one in placed] == [lead(101)] * 3


def test_a_person_has_not_all_addresses_of_the_world() -> None:
    """One address more than the limit is not attached; the event still counts for the lead."""
    known = picture({"user_id__u": 1, "email__1@x.example": 1}, limits=Limits(addresses=1))
    assert put(known, event(1, user_id="u", email="2@x.example")) == [1]
    assert [one.reason for one in known.conflicts.values()] == ["too_many_addresses"]


def test_an_identifier_that_ties_a_crowd_is_suspended() -> None:
    """After the limit within an hour it names nobody; the same number over many hours is fine."""
    known = picture(limits=Limits(ties_per_hour=5))
    put(known, *(event(n, user_id="kiosk", anonymous_id=f"d{n}") for n in range(8)))
    assert known.suspended == [named("user_id__kiosk")]
    assert put(known, event(9, user_id="kiosk", anonymous_id="new")) != [100]
    steady = picture(limits=Limits(ties_per_hour=5))
    put(steady, *(event(n * 60, user_id="traveller", anonymous_id=f"d{n}") for n in range(8)))
    assert steady.suspended == []


def test_imported_history_has_hours_of_its_own() -> None:
    """What was tied over many hours long ago suspends nobody, though it comes after what happened today."""
    known = picture(limits=Limits(ties_per_hour=5))
    week = 7 * 24 * 60
    put(known, *(event(week + n, user_id="traveller", anonymous_id=f"today{n}") for n in range(3)))
    put(known, *(event(n * 60, user_id="traveller", anonymous_id=f"then{n}") for n in range(8)))
    assert known.suspended == []
    put(known, *(event(9 * 60 + n, user_id="traveller", anonymous_id=f"crowd{n}") for n in range(7)))
    assert known.suspended == [named("user_id__traveller")]


def test_alias_joins_two_users() -> None:
    """A user id that replaces another one is the same user's, with everything the other had."""
    known = picture({"user_id__old": 1, "email__x@x.example": 1})
    assert put(known, event(1, user_id="new", previous_id="old"), event(2, user_id="new")) == [1, 1]


def test_alias_with_a_device_joins_no_users() -> None:
    """Two users that replace the same device's id stay two people."""
    known = picture()
    first, second = event(1, user_id="u", previous_id="tablet"), event(2, user_id="v", previous_id="tablet")
    assert len(set(put(known, first, second))) == 2


def test_what_a_machine_did_is_no_evidence() -> None:
    """A quarantined event goes to the owner of its strongest identifier, and ties nothing together."""
    known = picture({"email__x@x.example": 1, "anonymous_id__a": 2})
    said = evidence(event(1, email="x@x.example", anonymous_id="a"), RULES)
    assert place_quarantined(known, said) == lead(1)
    assert known.merges == []
    assert place_quarantined(known, evidence(event(2), RULES)) == NOBODY


@pytest.mark.parametrize(
    "value", ["null", " undefined ", "[object Object]", '"guest"', "0", "N/A", "-", "test"]
)
def test_nobody_makes_no_lead(value: str) -> None:
    """An event of a placeholder alone belongs to nobody."""
    known = picture()
    said = evidence(event(1, user_id=value, anonymous_id=value), RULES)
    assert place(known, said) == NOBODY
    assert why_nobody(known, said) == "nobody"
    assert known.created == []
