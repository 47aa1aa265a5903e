"""What holds for every model, every set of events and every order in which they arrive."""

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shared.events import Event
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import has_objected
from shared.scoring.engine.fold import fold, refold
from shared.scoring.engine.next_change import next_change
from shared.scoring.engine.points import terms_of
from shared.scoring.engine.score import Score, evaluate, score
from shared.scoring.engine.state import EMPTY, LeadState, decode
from shared.scoring.engine.transitions import StageState, Transition, decide
from tests.scoring.worlds import START, events, models

thorough = settings(max_examples=80, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
LATER = START + timedelta(days=110)
moments = st.integers(0, 60 * 24 * 60).map(lambda minutes: LATER + timedelta(minutes=minutes))
stages: st.SearchStrategy[StageName] = st.sampled_from(["lead", "mql", "sql", "recycled"])


def live(model: Compiled, arriving: list[Event]) -> LeadState:
    """What the scorer does: fold, and refold from everything stored where fold gives up."""
    state = EMPTY
    for position, event in enumerate(arriving):
        folded = fold(model, state, event)
        state = refold(model, arriving[: position + 1]) if folded is None else folded
    return state


def seen(found: Score) -> tuple[object, ...]:
    """A score without the exact points, which may differ in the last bits."""
    lines = [
        (line.rule, line.points, line.count, line.paid, line.last_at, line.event_ids)
        for line in found.contributions
    ]
    return found.total, found.dimensions, found.grade, lines, found.as_of


def exact(model: Compiled, state: LeadState, at: datetime) -> list[float]:
    return terms_of(model, state).at(at.timestamp())


@given(models(), events(), st.randoms(use_true_random=False), moments)
@thorough
def test_the_order_of_arrival_does_not_matter(
    model: Compiled, stored: list[Event], random: object, at: datetime
) -> None:
    """Any permutation, folded live, gives the score and the receipts of a refold of the sorted events."""
    arriving = list(stored)
    random.shuffle(arriving)  # type: ignore[attr-defined]
    lived, derived = live(model, arriving), refold(model, stored)
    assert lived.events == derived.events
    assert lived.profile == derived.profile
    assert exact(model, lived, at) == pytest.approx(exact(model, derived, at), abs=1e-9)
    assert seen(evaluate(model, lived, at)) == seen(evaluate(model, derived, at))


@given(models(), events(), st.integers(1, 5), moments)
@thorough
def test_pauses_between_batches_do_not_matter(
    model: Compiled, stored: list[Event], size: int, at: datetime
) -> None:
    """A state that was encoded and decoded between batches goes on as if it had never been put away."""
    state = EMPTY
    for begin in range(0, len(stored), size):
        state = decode(state.encode())
        for position in range(begin, min(begin + size, len(stored))):
            folded = fold(model, state, stored[position])
            state = refold(model, stored[: position + 1]) if folded is None else folded
    assert seen(evaluate(model, state, at)) == seen(score(model, stored, at))


@given(models(), events())
@thorough
def test_bytes_hold_the_whole_state(model: Compiled, stored: list[Event]) -> None:
    """decode(encode(state)) is the state."""
    state = refold(model, stored)
    assert decode(state.encode()) == state


@given(models(), events(), moments)
@thorough
def test_receipts_add_up(model: Compiled, stored: list[Event], at: datetime) -> None:
    """The contributions add up to the score exactly, and the score is the pencil sum of the dimensions."""
    found = score(model, stored, at)
    assert sum(line.points for line in found.contributions) == found.total
    assert 0 <= found.total <= 100
    weighted = sum(each.weight * found.dimensions[each.id] for each in model.dimensions)
    assert abs(found.total - min(100, max(0, weighted))) <= 0.5 + 1e-6
    left_out = [line for line in found.contributions if line.kind in {"consent", "objection"}]
    assert all(bool(line.points) is (line not in left_out) for line in found.contributions)


@given(models(), events(), moments)
@thorough
def test_no_line_is_far_from_its_exact_points(model: Compiled, stored: list[Event], at: datetime) -> None:
    """Rounding moves a line by less than a point, and once more where its dimension was rounded."""
    found = score(model, stored, at)
    weights = {each.id: each.weight for each in model.dimensions}
    for line in found.contributions:
        if line.kind in {"engagement", "fit"}:
            exact = line.decayed * weights[line.dimension]
            assert abs(line.points - exact) < 2 + 0.5 * weights[line.dimension]


@given(models(), events(), st.integers(0, 10**7))
@thorough
def test_a_past_score_knows_nothing_of_later_events(model: Compiled, stored: list[Event], age_s: int) -> None:
    """The score as of a moment is that of the events until then."""
    then = LATER - timedelta(seconds=age_s)
    until_then = [event for event in stored if event.occurred_at <= then]
    assert seen(score(model, stored, then)) == seen(score(model, until_then, then))


def moved(model: Compiled, state: LeadState, stage: StageState, now: datetime) -> list[Transition]:
    """Whoever objects is not judged."""
    if has_objected(state):
        return []
    return decide(
        model, stage, evaluate(model, state, now), profile=state.profile, known=True, event=None, now=now
    )


@given(
    models(),
    events(),
    stages,
    moments,
    st.lists(st.floats(0, 1), min_size=8, max_size=8),
    st.integers(0, 200),
)
@settings(thorough, max_examples=120)
def test_no_stage_changes_before_the_promised_moment(  # noqa: PLR0917 - one per thing drawn
    model: Compiled, stored: list[Event], name: StageName, at: datetime, samples: list[float], stayed_h: int
) -> None:
    """Between now and next_change, time alone moves nobody; if it says never, then never."""
    state = refold(model, stored)
    stage = StageState(stage=name, since=at - timedelta(hours=stayed_h))
    promised = next_change(model, state, stage, at)
    if promised == at:
        assert moved(model, state, stage, at)
        return
    end = promised or at + timedelta(days=900)
    quiet = end - at - timedelta(microseconds=1)
    for share in (*samples, 1.0):
        assert moved(model, state, stage, at + quiet * share) == []


@given(models(only_rising=True), events(), moments)
@settings(thorough, max_examples=120)
def test_where_points_only_fall_few_looks_find_the_moment(
    model: Compiled, stored: list[Event], at: datetime
) -> None:
    """With positive points and no clamps a few looks reach the very microsecond at which the lead moves."""
    state = refold(model, stored)
    stage = StageState(stage="sql", since=at - timedelta(days=30))
    promised = next_change(model, state, stage, at)
    assume(promised is not None)
    assert promised is not None
    for _ in range(5):
        if not moved(model, state, stage, promised):
            promised = next_change(model, state, stage, promised) or promised
    assert moved(model, state, stage, promised)
    if promised > at:
        assert moved(model, state, stage, promised - timedelta(microseconds=1)) == []


@given(models(), events(), stages, moments)
@settings(thorough, max_examples=40)
def test_looking_when_told_reaches_every_move(
    model: Compiled, stored: list[Event], name: StageName, at: datetime
) -> None:
    """Following next_change from look to look never stands still and ends in a move or in never."""
    state = refold(model, stored)
    stage = StageState(stage=name, since=at)
    for _ in range(40):
        promised = next_change(model, state, stage, at)
        if promised is None or moved(model, state, stage, promised):
            return
        assert promised > at
        at = promised
