"""What a lead takes over from another that turns out to be the same person."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from services.scorer.identify.facts import Facts
from services.scorer.settle import Change, Lead, absorb
from shared.ids import LeadId
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.state import EMPTY
from shared.scoring.engine.transitions import StageState

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def lead(number: int, stage: StageName, **ledger: object) -> Lead:
    state = StageState(stage=stage, since=NOW - timedelta(days=number), sequence=number)
    return Lead(
        lead_id=LeadId(UUID(int=number)),
        facts=Facts(known=True, first_seen_at=NOW),
        last_seen_at=NOW - timedelta(days=number),
        event_count=number,
        state=EMPTY,
        ledger=msgspec.structs.replace(state, **ledger),
        score=0,
        grade="D4",
        dimensions={},
        scored_at=NOW,
        due_at=None,
        model_version=1,
    )


def test_the_further_stage_is_taken_over_with_a_transition() -> None:
    """The loser stood further: the winner moves there, and its own numbering goes on without a gap."""
    change = absorb(Change(lead=lead(2, "lead")), lead(7, "sql"), NOW)
    assert (change.lead.ledger.stage, change.lead.ledger.sequence) == ("sql", 3)
    assert [(one.previous_stage, one.stage, one.sequence, one.cause) for one in change.passed] == [
        ("lead", "sql", 3, "merged")
    ]
    assert change.lead.event_count == 9


def test_a_lesser_stage_changes_nothing() -> None:
    """The winner stood further: no transition, its stage and number stay."""
    change = absorb(Change(lead=lead(7, "sql")), lead(2, "lead"), NOW)
    assert (change.lead.ledger.stage, change.lead.ledger.sequence, change.passed) == ("sql", 7, ())


def test_a_hold_set_by_hand_survives_a_merge() -> None:
    """A person parked one of the two until a date: nothing moves the merged lead before it."""
    until = NOW + timedelta(days=30)
    change = absorb(Change(lead=lead(2, "lead")), lead(3, "mql", held_until=until), NOW)
    assert change.lead.ledger.held_until == until
