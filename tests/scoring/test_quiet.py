"""The short question "is it quiet until then?" never contradicts the long one "when does it change?"."""

from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.events import Event
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import has_objected
from shared.scoring.engine.fold import refold
from shared.scoring.engine.next_change import is_quiet
from shared.scoring.engine.score import evaluate, standing
from shared.scoring.engine.transitions import StageState, decide
from tests.scoring.worlds import START, events, models

LATER = START + timedelta(days=110)
moments = st.integers(0, 60 * 24 * 60).map(lambda minutes: LATER + timedelta(minutes=minutes))
stages: st.SearchStrategy[StageName] = st.sampled_from(["lead", "mql", "sql", "recycled"])
thorough = settings(max_examples=120, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@given(models(), events(), stages, moments, st.lists(st.floats(0, 0.999), min_size=8, max_size=8))
@thorough
def test_a_quiet_stretch_has_no_move_in_it(
    model: Compiled, stored: list[Event], name: StageName, at: datetime, samples: list[float]
) -> None:
    """Where it says quiet, time alone moves nobody at any moment looked at; who objects is not judged."""
    state = refold(model, stored)
    stage = StageState(stage=name, since=at - timedelta(hours=30))
    until = at + timedelta(days=40)
    if has_objected(state) or not is_quiet(model, state, stage, (at, until)):
        return
    for share in [0.0, *samples]:
        now = at + share * (until - at)
        numbers = standing(model, state, now)
        moved = decide(model, stage, numbers, profile=state.profile, known=True, event=None, now=now)
        assert moved == []


@given(models(), events(), moments)
@thorough
def test_the_numbers_are_the_same_without_their_reasons(
    model: Compiled, stored: list[Event], at: datetime
) -> None:
    """What stages look at is what the receipt adds up to."""
    state = refold(model, stored)
    score, numbers = evaluate(model, state, at), standing(model, state, at)
    assert numbers.shown == score.shown
    assert (numbers.grade, numbers.as_of) == (score.grade, score.as_of)
    assert sum(line.points for line in score.contributions) == numbers.total
