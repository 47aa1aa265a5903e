"""What would have changed the stage: the nearest rules that would.

In: a model, a state, where the lead stands, now. Out: `Nearest`, the easiest first.
Refuses combinations: one rule at a time, met up to three times at this moment. Rules that need a
repetition or a sequence are left out, because one event does not meet them; so are those without consent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from shared.scoring.definition.rules import EngagementRule, FitRule, Label
from shared.scoring.definition.stages import SCORE, Move, StageName
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import has_objected, is_granted
from shared.scoring.engine.matching import fits_of
from shared.scoring.engine.points import Terms, decayed, shown_of, sums_of, terms_of, terms_with
from shared.scoring.engine.score import moment_s
from shared.scoring.engine.state import LeadState, RuleState, ValueCounts
from shared.scoring.engine.transitions import LineFacts, StageState, allowed, holds
from shared.scoring.engine.value_limit import room

MOST_TIMES: Final = 3
_NOT_UP: Final = ("recycled", "disqualified")


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """One thing that would have moved the lead.

    stage:  where to
    rule:   id of the rule, or the name of the event that moves by itself
    times:  how often the event would have had to happen; 1 for fit rules
    total:  the score with it
    """

    stage: StageName
    kind: Literal["engagement", "fit", "event"]
    rule: str
    label: Label
    times: int
    total: int


def nearest(model: Compiled, state: LeadState, stage: StageState, as_of: datetime) -> list[Nearest]:
    """Everything single that would have moved the lead up from its stage, the fewest events first.

    Moves that still have to wait are left out, and so are those that would happen anyway.
    Raises ValueError if the state was folded under other rules.
    """
    if has_objected(state):
        return []
    try_out = _TryOut(model, state, moment_s(model, state, as_of))
    ways = [
        move
        for move in model.moves[stage.stage]
        if move.kind == "enter"
        and move.to not in _NOT_UP
        and allowed(move, stage.since, as_of)
        and not (move.event and move.line.at_least)
    ]
    found: dict[tuple[StageName, str], Nearest] = {}
    for move in ways:
        for each in try_out.moving(move):
            found.setdefault((each.stage, each.rule), each)
    return sorted(found.values(), key=lambda each: (each.times, each.kind == "event", -each.total, each.rule))


class _TryOut:
    """One lead at one moment, with one thing changed at a time."""

    def __init__(self, model: Compiled, state: LeadState, at_s: float) -> None:
        self.model = model
        self.state = state
        self.at_s = at_s
        self.person = model.person.of(state.attributes)
        self.terms = terms_of(model, state)

    def moving(self, move: Move) -> Iterator[Nearest]:
        """What would make this move happen, each by itself."""
        if move.event:
            total = self._shown(self.terms)[SCORE]
            for name in sorted(move.event):
                label: Label = {"en": name, "de": name}
                yield Nearest(stage=move.to, kind="event", rule=name, label=label, times=1, total=total)
            return
        if self._moves(move, self.terms):
            return
        for rule in self.model.engagement:
            yield from self._met_more(move, rule)
        for fit in self.model.fit:
            if fit not in self.person.fits.rules:
                yield from self._tried(move, fit, 1, self._with_fit(fit))

    def _met_more(self, move: Move, rule: EngagementRule) -> Iterator[Nearest]:
        """The rule met once, twice, three times more, as far as its limit allows."""
        gain = rule.points.range()[1]
        if gain <= 0 or rule.needs_order:
            return
        if rule.purpose and not is_granted(rule.purpose, self.state.consent):
            return
        account = self.state.rules.get(rule.id, RuleState(0.0, self.at_s))
        for times in range(1, min(MOST_TIMES, self._room(rule, account)) + 1):
            found = list(self._tried(move, rule, times, self._with_hits(rule, account, gain * times)))
            if found:
                yield found[0]
                return

    def _tried(
        self, move: Move, rule: EngagementRule | FitRule, times: int, terms: Terms
    ) -> Iterator[Nearest]:
        if self._moves(move, terms):
            yield Nearest(
                stage=move.to,
                kind="fit" if isinstance(rule, FitRule) else "engagement",
                rule=rule.id,
                label=rule.label,
                times=times,
                total=self._shown(terms)[SCORE],
            )

    def _moves(self, move: Move, terms: Terms) -> bool:
        shown = self._shown(terms)
        return bool(holds(self.model, move, LineFacts(bounds=(shown, shown), profile=self.person.profile)))

    def _shown(self, terms: Terms) -> dict[str, int]:
        return shown_of(self.model, sums_of(self.model, terms, terms.at(self.at_s)))

    def _room(self, rule: EngagementRule, account: RuleState) -> int:
        """How many more events the limit would pay now."""
        if rule.limit is None:
            return MOST_TIMES
        used = account.window
        if isinstance(used, ValueCounts):
            return room(rule.limit, used, self.at_s)
        if used is None or used[0] != rule.limit.per.index(self.at_s):
            return rule.limit.most
        return rule.limit.times - used[1]

    def _with_hits(self, rule: EngagementRule, account: RuleState, points: float) -> Terms:
        value = decayed(rule, account, self.at_s) + points
        accounts = {**self.state.rules, rule.id: RuleState(value, self.at_s)}
        return terms_with(self.model, accounts, self.person.fits)

    def _with_fit(self, rule: FitRule) -> Terms:
        fits = fits_of((*self.person.fits.rules, rule), self.model.group_index)
        return terms_with(self.model, self.state.rules, fits)
