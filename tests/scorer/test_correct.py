"""Where a lead stands without events that were taken back (pure)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from services.scorer.correct import correct
from services.scorer.identify.facts import Facts
from services.scorer.settle import ActiveModel, Change, Lead, newborn
from shared.events import Event
from shared.ids import EventId, LeadId
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.sales_facts import SalesFact
from shared.scoring.file.read import load_model
from tests.scorer.conftest import MODEL

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ACTIVE = ActiveModel(model=load_model(MODEL, file="test.yaml"), version=1)


def did(number: int, name: str) -> Event:
    at = NOW - timedelta(days=1) + timedelta(minutes=number)
    return Event(
        event_id=EventId(UUID(int=number)),
        source="web",
        kind="web",
        name=name,
        occurred_at=at,
        received_at=at,
        email="ada@firma.example",
    )


def standing_at(stage: StageName, *facts: SalesFact) -> Lead:
    lead = newborn(LeadId(UUID(int=1)), Facts(known=True, first_seen_at=NOW), ACTIVE)
    return replace(lead, ledger=replace(lead.ledger, stage=stage, sequence=2, facts=facts), event_count=3)


CLICKS = [did(1, "email.clicked"), did(2, "email.clicked")]
VIEW = did(3, "page.viewed")


def test_a_stage_that_the_events_gave_is_taken_back() -> None:
    """Two clicks made the MQL: without them a lead is left, with one transition that says so."""
    change = correct(Change(lead=standing_at("mql")), CLICKS, [VIEW], ACTIVE, NOW)
    (told,) = change.passed
    assert (told.previous_stage, told.stage, told.cause, told.sequence) == ("mql", "lead", "corrected", 3)
    assert (change.lead.ledger.stage, change.lead.ledger.sequence) == ("lead", 3)


def test_who_objects_is_moved_by_nothing() -> None:
    """Nobody would be told: the stage stays where it is until the objection ends."""
    lead = standing_at("mql")
    lead = replace(lead, ledger=replace(lead.ledger, objected=True))
    change = correct(Change(lead=lead), CLICKS, [VIEW], ACTIVE, NOW)
    assert (change.passed, change.lead.ledger.stage) == ((), "mql")


def test_a_stage_that_came_otherwise_stays() -> None:
    """Its history makes no MQL with the event either: it is one for a reason that no replay knows."""
    change = correct(Change(lead=standing_at("mql")), [did(4, "page.viewed")], [VIEW], ACTIVE, NOW)
    assert (change.passed, change.lead.ledger.stage) == ((), "mql")


def test_what_is_enough_without_them_stays() -> None:
    """A form is worth the stage by itself."""
    change = correct(Change(lead=standing_at("mql")), CLICKS, [did(5, "form.submitted")], ACTIVE, NOW)
    assert (change.passed, change.lead.ledger.stage) == ((), "mql")


def test_new_events_are_judged_after_it() -> None:
    """What comes in the same batch earns its own stage, and does not hide what was taken back."""
    form = did(6, "form.submitted")
    change = correct(Change(lead=standing_at("mql"), events=[form]), CLICKS, [VIEW, form], ACTIVE, NOW)
    assert [told.stage for told in change.passed] == ["lead"]


def test_what_sales_said_in_such_an_event_is_forgotten() -> None:
    """The fact is gone, those of others are not, though the lead stays where it is."""
    facts = [
        SalesFact(
            occurred_s=number, event_id=EventId(UUID(int=number)), name="deal.won", judged_at=NOW,
            stage="lead", since=NOW, held_until=None, led_to="lead",
        )
        for number in (1, 9)
    ]  # fmt: skip
    change = correct(Change(lead=standing_at("lead", *facts)), CLICKS[:1], [VIEW], ACTIVE, NOW)
    assert [fact.event_id.int for fact in change.lead.ledger.facts] == [9]
    assert (change.merged, change.corrected, change.passed) == (True, True, ())
