"""The body that receivers get."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import msgspec
import pytest

from services.router.render import (
    ADVISED_BYTES,
    MAX_BYTES,
    Corrected,
    Objected,
    StageChanged,
    Unmerged,
    render,
    type_of,
)
from shared.errors import Invalid
from shared.ids import LeadId
from shared.leads.transition_row import Person, Receipt
from tests.router.situations import AT, LEAD, transition

STRICT = msgspec.json.Decoder(StageChanged)


def receipts(number: int, sentence: str = "Because.") -> list[Receipt]:
    return [
        Receipt(rule=f"rule-{n:04}", dimension="engagement", points=n, sentence_en=sentence)
        for n in range(number)
    ]


def test_a_lead_that_was_several_people_says_so() -> None:
    """The body has a type of its own, and names the leads that it was one with."""
    other = LeadId(UUID(int=8))
    separated = transition(cause="unmerged", previous_stage="sql", other_leads=[other])
    body = msgspec.json.decode(render(separated, "en"), type=Unmerged)
    assert body.data.other_leads == [str(other)]
    assert (body.data.lead, body.data.stage, body.data.sequence) == (str(LEAD), "sql", 2)
    assert type_of(render(separated, "en")) == "lead.unmerged"
    assert type_of(render(transition(), "en")) == "lead.stage_changed"


def test_a_lead_that_should_not_have_been_there_says_why() -> None:
    """The body has a type of its own, and names why events that were counted do not count."""
    back = transition(cause="corrected", previous_stage="mql", stage="lead", corrected=["many_links"])
    body = msgspec.json.decode(render(back, "en"), type=Corrected)
    assert (body.data.stage, body.data.corrected) == ("lead", ["many_links"])
    assert type_of(render(back, "en")) == "lead.corrected"


@pytest.mark.parametrize(("cause", "objected"), [("objected", True), ("objection_withdrawn", False)])
def test_an_objection_says_whether_it_stands(cause: str, objected: bool) -> None:  # noqa: FBT001 - a case
    """The body has a type of its own, and the person by whom a receiver finds its record."""
    about = transition(cause=cause, previous_stage="sql", score=0, receipts=[])
    body = msgspec.json.decode(render(about, "en"), type=Objected)
    assert (body.data.objected, body.data.score, body.data.stage) == (objected, 0, "sql")
    assert body.data.person.email == "ada@example.com"
    assert type_of(render(about, "en")) == "lead.objected"


def test_each_system_finds_its_own_record() -> None:
    """The ids that other systems have for the person go out under their namespaces."""
    known = Person(user_id="u1", ids={"product": "u1", "crm": "c-815"})
    body = msgspec.json.decode(render(transition(person=known), "en"))
    assert body["data"]["person"]["ids"] == {"product": "u1", "crm": "c-815"}


def test_the_body_is_what_the_schema_says() -> None:
    """Every field of the schema is there, with the transition's values."""
    body = msgspec.json.decode(render(transition(), "en"))
    assert body == {
        "type": "lead.stage_changed",
        "timestamp": "2026-03-01T09:30:00Z",
        "data": {
            "lead": str(LEAD),
            "sequence": 2,
            "stage": "sql",
            "previous_stage": "mql",
            "cause": "score",
            "score": 64,
            "grade": "A2",
            "fit": 30,
            "engagement": 34,
            "dimensions": {"fit": 30, "engagement": 34},
            "reasons": [
                {
                    "rule": "demo-request",
                    "dimension": "engagement",
                    "group": "forms",
                    "points": 34,
                    "sentence": "Asked for a demo.",
                    "count": 1,
                    "last_at": "2026-03-01T09:30:00Z",
                },
                {
                    "rule": "company-size",
                    "dimension": "fit",
                    "group": "",
                    "points": 30,
                    "sentence": "Large company.",
                    "count": 0,
                    "last_at": None,
                },
            ],
            "person": {
                "email": "ada@example.com",
                "user_id": None,
                "ids": {},
                "anonymous_id": None,
                "account_id": None,
                "traits": {"country": "DE", "employees": 250, "vip": True},
            },
            "attribution": {"last": {"campaign": "spring"}},
            "consent": {"marketing": True},
            "model_version": 3,
            "shortened": [],
        },
    }


def test_the_reasons_speak_the_destinations_language() -> None:
    """A German destination reads German sentences; nothing else differs."""
    german = STRICT.decode(render(transition(), "de"))
    assert german.data.reasons[0].sentence == "Hat eine Vorführung angefragt."


def test_the_same_transition_gives_the_same_bytes_in_utc() -> None:
    """Planning twice cannot change a body; times are UTC whatever zone the driver chose."""
    berlin = AT.astimezone(timezone(timedelta(hours=1)))
    assert render(transition(at=berlin), "en") == render(transition(at=AT), "en")


def test_reasons_add_up_to_the_score_and_the_largest_come_first() -> None:
    """Deductions count by their size, so that a reader sees at once what weighs."""
    mixed = [
        Receipt(rule=rule, dimension="fit", points=points)
        for rule, points in (("small", 3), ("minus", -9), ("big", 20), ("also-3", 3))
    ]
    told = STRICT.decode(render(transition(receipts=mixed, score=17), "en")).data
    assert [reason.rule for reason in told.reasons] == ["big", "minus", "also-3", "small"]
    assert sum(reason.points for reason in told.reasons) == told.score


@pytest.mark.parametrize(
    ("traits_bytes", "reasons", "shortened"),
    [(0, 2, []), (ADVISED_BYTES, 2, ["traits"]), (ADVISED_BYTES, 500, ["traits", "reasons"])],
)
def test_a_long_body_is_shortened_and_says_so(traits_bytes: int, reasons: int, shortened: list[str]) -> None:
    """Above 20 kB first the traits go, then all but the 20 largest reasons."""
    person = Person(email="ada@example.com", traits={"note": "x" * traits_bytes})
    body = render(transition(person=person, receipts=receipts(reasons)), "en")
    told = STRICT.decode(body).data
    assert len(body) <= ADVISED_BYTES
    assert told.shortened == shortened
    assert len(told.reasons) == (20 if "reasons" in shortened else reasons)
    assert told.person.email == "ada@example.com"


def test_a_body_that_stays_too_long_is_refused() -> None:
    """Nothing above 256 kB is ever written as a delivery."""
    with pytest.raises(Invalid, match="256000") as caught:
        render(transition(attribution={"last": {"referrer": "x" * MAX_BYTES}}), "en")
    assert caught.value.code == "too_large"


def test_a_body_between_advice_and_limit_is_sent() -> None:
    """20 kB is advice, 256 kB the limit."""
    body = render(transition(attribution={"last": {"referrer": "x" * 2 * ADVISED_BYTES}}), "en")
    assert ADVISED_BYTES < len(body) <= MAX_BYTES
    assert STRICT.decode(body).timestamp == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
