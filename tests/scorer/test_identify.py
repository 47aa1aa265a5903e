"""Whose event is it: the rules of identity, as tables of little stories."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest

from services.scorer.identify import Facts, Identifier, Picture, identifiers
from shared.events import Event
from shared.ids import EventId, LeadId
from shared.leads.identifiers import hash_identifier

KEY = b"a key of at least sixteen bytes"
START = datetime(2026, 1, 1, tzinfo=UTC)


def event(number: int = 1, **fields: str) -> Event:
    at = START + timedelta(minutes=number)
    return Event(
        event_id=EventId(UUID(int=number)),
        source="web",
        kind="web",
        name="page.viewed",
        occurred_at=at,
        received_at=at,
        **fields,  # type: ignore[arg-type]
    )


def lead(number: int) -> LeadId:
    return LeadId(UUID(int=number))


def picture(**owned: int) -> Picture:
    """A picture in which `kind__value=lead` says whose each identifier is."""
    owners: dict[Identifier, LeadId] = {}
    counts: dict[LeadId, dict[str, int]] = {}
    for name, number in owned.items():
        kind, value = name.split("__")
        owners[Identifier(kind, hash_identifier(kind, value, KEY))] = lead(number)  # type: ignore[arg-type]
        of_lead = counts.setdefault(lead(number), {})
        of_lead[kind] = of_lead.get(kind, 0) + 1
    facts = {
        one: Facts(
            known=bool(kinds.keys() - {"anonymous_id"}),
            first_seen_at=START + timedelta(days=one.int),
            counts=kinds,  # type: ignore[arg-type]
        )
        for one, kinds in counts.items()
    }
    fresh = count(100)
    return Picture(owners=owners, facts=facts, fresh=lambda: lead(next(fresh)))


def place(known: Picture, *events: Event) -> list[int]:
    """Place events in order and return the numbers of the leads they end in."""
    placed = [known.place(one, identifiers(one, KEY)) for one in events]
    return [known.final(one).int for one in placed]


def test_a_new_visitor_becomes_a_lead() -> None:
    """An identifier nobody has makes a lead, and the next event with it finds that lead."""
    known = picture()
    assert place(known, event(1, anonymous_id="a"), event(2, anonymous_id="a")) == [100, 100]
    assert known.created == [lead(100)]
    assert not known.facts[lead(100)].known


def test_identify_joins_the_anonymous_past() -> None:
    """A user id that comes with a known anonymous id is attached to that lead, known from then on."""
    known = picture(anonymous_id__a=1)
    assert place(known, event(1, anonymous_id="a", user_id="u")) == [1]
    assert known.facts[lead(1)].known
    assert known.merges == []


def test_two_leads_of_one_person_are_merged() -> None:
    """An event that names identifiers of two leads makes them one; the known one wins."""
    known = picture(anonymous_id__a=1, email__x=2)
    assert place(known, event(1, anonymous_id="a", email="x")) == [2]
    assert [(merge.winner, merge.loser) for merge in known.merges] == [(lead(2), lead(1))]
    assert set(known.owners.values()) == {lead(2)}


def test_the_older_of_two_known_leads_wins() -> None:
    """Between two known leads the one seen first stays, whatever the order of identifiers."""
    known = picture(email__x=2, user_id__u=3)
    assert place(known, event(1, user_id="u", email="x")) == [2]


def test_two_user_ids_are_never_merged() -> None:
    """Two leads that each have a user id stay two; the event goes to the user it names."""
    known = picture(user_id__u=1, user_id__v=2, email__x=2)
    assert place(known, event(1, user_id="u", email="x")) == [1]
    assert known.merges == []
    assert known.refused == 1


def test_a_shared_cookie_moves_to_the_newest_user() -> None:
    """A cookie of one user that another logs in with is the other's from then on, without the past."""
    known = picture(user_id__u=1, anonymous_id__a=1)
    assert place(known, event(1, user_id="v", anonymous_id="a"), event(2, anonymous_id="a")) == [100, 100]
    assert list(known.moved.values()) == [lead(100)]
    assert known.facts[lead(1)].counts["anonymous_id"] == 0


def test_merges_within_a_batch_are_followed() -> None:
    """Events placed before a merge end in the lead that is left."""
    known = picture()
    placed = place(
        known,
        event(1, anonymous_id="a"),
        event(2, email="x"),
        event(3, anonymous_id="a", email="x"),
    )
    assert len(set(placed)) == 1


def test_limits_keep_one_person_from_collecting_the_world() -> None:
    """A sixth address is not attached; the event still counts for the lead."""
    known = picture(user_id__u=1, **{f"email__{n}": 1 for n in range(5)})
    assert place(known, event(1, user_id="u", email="sixth")) == [1]
    assert known.refused == 1
    assert known.attached == {}


@pytest.mark.parametrize("value", ["null", "NULL", " undefined ", "[object Object]", '"guest"', "0", ""])
def test_nobody_is_not_an_identifier(value: str) -> None:
    """Values that senders use for nobody do not identify anybody."""
    assert identifiers(event(1, user_id=value, anonymous_id=value), KEY) == []


def test_addresses_are_compared_without_case_and_space() -> None:
    """One mailbox is one identifier, however it is written."""
    assert identifiers(event(1, email="Ada@Example.com "), KEY) == identifiers(
        event(2, email="ada@example.com"), KEY
    )


def test_the_hash_depends_on_kind_and_key() -> None:
    """The same text as another kind, or under another key, is another identifier."""
    assert hash_identifier("email", "x", KEY) != hash_identifier("user_id", "x", KEY)
    assert hash_identifier("email", "x", KEY) != hash_identifier("email", "x", KEY[::-1])
