"""What a plan says of a lead is what a scorer does with it when the draft is published."""

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.scorer.identify.facts import Facts
from services.scorer.settle import ActiveModel, Change, Lead, from_history, settle
from shared.events import Event
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.score import standing
from shared.scoring.engine.transitions import initial
from tests.cli.model.plan.worlds import (
    ACTIVE,
    ASKING,
    DEARER,
    FORGETTING,
    NOW,
    STRICTER,
    events,
    lead,
    replayed,
    trial,
)

ACTS = st.tuples(
    st.sampled_from(
        [
            *(("page.viewed", "email.clicked", "form.submitted") * 3),
            "person.objected",
            "person.objection_withdrawn",
        ]
    ),
    st.floats(min_value=0.1, max_value=60),
)
ANSWERS = st.sampled_from([None, None, {"ads": True}, {"ads": False}])


@given(
    st.lists(st.tuples(ACTS, ANSWERS), max_size=6),
    st.sampled_from([ACTIVE, DEARER, STRICTER, ASKING, FORGETTING]),
)
def test_plan_and_publish_agree(
    acts: list[tuple[tuple[str, float], dict[str, bool] | None]], draft: Compiled
) -> None:
    """Stage and score, for any history; also for a lead of whom only quarantined events are known."""
    plain = events(1, *(act for act, _ in acts))
    history = [
        msgspec.structs.replace(event, consent=answer) for event, (_, answer) in zip(plain, acts, strict=True)
    ]
    foretold = replayed(trial(draft), 1, history)

    stored = _stored(history)
    change = Change(
        lead=stored, judged=stored.event_count > 0
    )  # as a rescore makes it (services/scorer/count.py)
    version = ActiveModel(model=draft, version=2)
    published = settle(version, change, from_history(version, history), NOW).lead

    assert (foretold.after.stage, foretold.after.standing.total) == (published.ledger.stage, published.score)


def _stored(history: list[Event]) -> Lead:
    """The lead as the scorer left it under the active model."""
    state = from_history(ActiveModel(model=ACTIVE, version=1), history)
    numbers = standing(ACTIVE, state, NOW)
    at = NOW - timedelta(days=90)
    return Lead(
        lead_id=lead(1, history).lead_id,
        facts=Facts(known=True, first_seen_at=at, addresses=1),
        last_seen_at=NOW,
        event_count=len(history),
        state=state,
        ledger=lead(1, history).ledger if history else initial(at),
        score=numbers.total,
        grade=numbers.grade,
        dimensions=numbers.dimensions,
        scored_at=NOW,
        due_at=None,
        model_version=1,
    )
