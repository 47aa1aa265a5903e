"""The score of a lead at a moment, with contributions that add up to it.

In: a model, a state, `as_of`. Out: `Score`: total 0..100, dimensions, grade, contributions in whole points.
Refuses (ValueError) a state folded under other rules: refold it first (shared/scoring/engine/fold.py).

How points become the shown number, so that a person can check it with a pencil:
1. A rule is worth its decayed points within its `between`; a group the sum of its rules within its
   `between`; a dimension the sum of its groups within its own. Each dimension is rounded.
2. The score is the sum of the rounded dimensions times their weights, rounded, within 0..100.
3. Contributions are whole points: largest remainder within each dimension. What a clamp took or gave
   is a line of its own. Lines of 0 points say what consent left out.
4. Somebody who objects is worth nothing at all, whatever the model says.

A state knows no moment earlier than its latest event. An earlier `as_of` is moved there; a past
score comes from `score(model, events, as_of)`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from shared.events import Event
from shared.scoring.definition.stages import SCORE, Shown
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import has_objected
from shared.scoring.engine.contributions import Contribution, about_consent, contributions
from shared.scoring.engine.fold import is_current, refold
from shared.scoring.engine.points import Sums, Terms, shown_of, sums_of, terms_of
from shared.scoring.engine.state import LeadState


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The numbers of one lead at one moment, without the reasons.

    total:       0..100
    dimensions:  id → whole points, before its weight
    grade:       fit letter and engagement number, such as "B2"
    """

    total: int
    dimensions: dict[str, int]
    grade: str
    as_of: datetime

    @property
    def shown(self) -> Shown:
        """What stage lines look at: each dimension and "score"."""
        return {**self.dimensions, SCORE: self.total}


class Score(Standing, frozen=True, kw_only=True):
    """The numbers with their reasons.

    contributions: add up to `total`; larger ones first within a dimension
    """

    contributions: tuple[Contribution, ...]


class Evaluation(msgspec.Struct, frozen=True, gc=False):
    """The points of one lead at one moment, for whoever asks for more than the numbers: worked out once.

    terms:     the rules that concern it, with the exact points of each rule of `terms.met` in `values`
    sums:      what they were added up and clamped to
    standing:  what is shown of them; of somebody who objects, nothing
    """

    model: Compiled
    state: LeadState
    terms: Terms
    values: list[float]
    sums: Sums
    standing: Standing

    def score(self) -> Score:
        """The numbers with their receipt."""
        shown, state = self.standing, self.state
        lines = () if has_objected(state) else contributions(self.model, self.terms, self.values, self.sums)
        return Score(
            total=shown.total,
            dimensions=shown.dimensions,
            grade=shown.grade,
            as_of=shown.as_of,
            contributions=lines + about_consent(self.model, state) if state.consent else lines,
        )


def evaluation(model: Compiled, state: LeadState, as_of: datetime) -> Evaluation:
    """The points of this lead at this moment.

    Raises ValueError if the state was folded under other rules (`fold.is_current` tells).
    """
    at_s, as_of = _moment(model, state, as_of)
    terms = terms_of(model, state)
    values = terms.at(at_s)
    sums = sums_of(model, terms, values)
    if has_objected(state):
        return Evaluation(model, state, terms, values, sums, _nothing(model, as_of))
    shown = shown_of(model, sums)
    numbers = Standing(
        total=shown.pop(SCORE),
        dimensions=shown,
        grade=model.model.grades.of(shown["fit"], shown["engagement"]),
        as_of=as_of,
    )
    return Evaluation(model, state, terms, values, sums, numbers)


def standing(model: Compiled, state: LeadState, as_of: datetime) -> Standing:
    """The numbers of this lead at this moment: what stages look at, at half the cost of a receipt.

    Raises ValueError if the state was folded under other rules (`fold.is_current` tells).
    """
    return evaluation(model, state, as_of).standing


def evaluate(model: Compiled, state: LeadState, as_of: datetime) -> Score:
    """The score of this lead at this moment, with its receipt.

    Raises ValueError if the state was folded under other rules (`fold.is_current` tells).
    """
    return evaluation(model, state, as_of).score()


def score(model: Compiled, events: Iterable[Event], as_of: datetime) -> Score:
    """The score as a pure function of the events that occurred until `as_of` (each once, in any order)."""
    return evaluate(model, refold(model, events, until=as_of), as_of)


def _nothing(model: Compiled, as_of: datetime) -> Standing:
    """The numbers of somebody who objects to having any."""
    dimensions = {dimension.id: 0 for dimension in model.dimensions}
    return Standing(total=0, dimensions=dimensions, grade=model.grades.of(0, 0), as_of=as_of)


def moment_s(model: Compiled, state: LeadState, as_of: datetime) -> float:
    """The moment to evaluate at, in seconds since 1970: never before the state's latest event.

    Raises ValueError if the state was folded under other rules.
    """
    if not is_current(model, state):
        raise ValueError(
            f"state folded under rules {state.fold_key}, scored under {model.fold_key}: refold the lead first"
        )
    at_s = as_of.timestamp()
    return state.last_s if state.events and state.last_s > at_s else at_s


def _moment(model: Compiled, state: LeadState, as_of: datetime) -> tuple[float, datetime]:
    """The moment to evaluate at, in seconds since 1970 and in UTC."""
    at_s = moment_s(model, state, as_of)
    if at_s == state.last_s and at_s != as_of.timestamp():
        return at_s, datetime.fromtimestamp(at_s, UTC)
    return at_s, as_of if as_of.tzinfo is UTC else as_of.astimezone(UTC)
