"""Odoo's predictive lead scoring, as a baseline: naive Bayes on fields that a CRM holds (pure).

In: leads that were won or lost, with their fields; then an open lead. Out: its probability in percent.
Refuses to be better than Odoo: the recipe (read in Odoo CRM's `crm_lead.py`; no code taken) is kept with its
weak sides, among them that it knows nothing of behaviour, never forgets, and counts correlated fields twice.

One defect is not kept: in Odoo's loop, leads of a team without a prior get that of the team before it, all
but the first of them. Here every lead is judged by the counters of its own team, or of all teams together.

Recipe: a counter per team, field and value, won and lost apart, made as count + 0.1; a closed lead counts in
each of its fields. A won lead passed every stage, a lost one those up to where it was lost.
P(won) is what the first stage says, times the field's share among won; the same for lost; normalised.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Final, NamedTuple

_SMOOTHING: Final = 0.1
_LEAST_TAGGED: Final = 50
_LOWEST, _HIGHEST = 0.01, 99.99
_MOST_ODDS: Final = 500.0
_STAGE: Final = "stage"
_TAG: Final = "tag"
# For these "nothing known" is a value of its own; an empty value of any other field is skipped.
_EMPTY_COUNTS: Final = frozenset({"email", "phone"})

Key = tuple[str, str]
"""(field, value)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmLead:
    """What a CRM knows of a lead.

    fields:  name → value as text; "" where nothing is known
    stage:   "" for none
    team:    None for none
    """

    fields: Mapping[str, str]
    stage: str
    tags: tuple[str, ...] = ()
    team: str | None = None

    def counts_in(self) -> list[Key]:
        """What it counts in, its stage apart."""
        named = [(name, value) for name, value in self.fields.items() if value or name in _EMPTY_COUNTS]
        return [*named, *((_TAG, tag) for tag in self.tags)]


class Count(NamedTuple):
    """Leads with this value, smoothed."""

    won: float
    lost: float


Counts = dict[Key, Count]


class Counters:
    """What closed leads taught.

    stages:     of the pipeline, in their order
    won_stage:  a lead in it is won, whatever else is known
    """

    def __init__(self, stages: Sequence[str], won_stage: str = "") -> None:
        self._stages = tuple(stages)
        self._won_stage = won_stage
        self._teams: defaultdict[str | None, Counts] = defaultdict(dict)

    def close(self, lead: CrmLead, *, won: bool) -> None:
        """A lead was won or lost."""
        self._add(lead, 1, won=won)

    def reopen(self, lead: CrmLead, *, won: bool) -> None:
        """A lead that was closed like this is open again."""
        self._add(lead, -1, won=won)

    def judge(self, team: str | None = None) -> "Judge":
        """What these counters, as they are now, say about leads of this team."""
        counts = self._teams.get(team) if team is not None else None
        return Judge(counts or self._sum(), self._stages, self._won_stage)

    def _add(self, lead: CrmLead, step: int, *, won: bool) -> None:
        counts = self._teams[lead.team]
        for key in [*lead.counts_in(), *((_STAGE, stage) for stage in self._passed(lead.stage, won=won))]:
            counts[key] = _moved(counts.get(key), step, won=won)

    def _passed(self, stage: str, *, won: bool) -> Sequence[str]:
        if won:
            return self._stages
        return self._stages[: self._stages.index(stage) + 1] if stage in self._stages else ()

    def _sum(self) -> Counts:
        if len(self._teams) == 1:
            return next(iter(self._teams.values()))
        summed: Counts = {}
        for counts in self._teams.values():
            for key, count in counts.items():
                before = summed.get(key, Count(0.0, 0.0))
                summed[key] = Count(before.won + count.won, before.lost + count.lost)
        return summed


class Judge:
    """Counters at one moment, ready to judge many leads."""

    def __init__(self, counts: Counts, stages: Sequence[str], won_stage: str = "") -> None:
        self._counts = {
            key: count
            for key, count in counts.items()
            if key[0] != _TAG or count.won + count.lost >= _LEAST_TAGGED
        }
        self._first = self._counts.get((_STAGE, stages[0])) if stages else None
        self._won_stage = won_stage
        self._totals = _totals(self._counts)

    def probability(self, lead: CrmLead) -> float | None:
        """Percent, in hundredths; None before anybody was won or lost, when there is no prior."""
        if not lead.stage:
            return 0.0
        if lead.stage == self._won_stage:
            return 100.0
        first = self._first
        if first is None or first.won <= 0 or first.lost <= 0:
            return None
        # Sums of logarithms, so that many fields do not run out of numbers; the odds are the same.
        odds = log(first.won / first.lost)
        for key in lead.counts_in():
            if key in self._counts:
                odds += _odds(self._counts[key], self._totals[key[0]])
        if (_STAGE, lead.stage) in self._counts:
            odds += _odds(self._counts[_STAGE, lead.stage], first)
        return min(_HIGHEST, max(_LOWEST, round(100 / (1 + exp(min(-odds, _MOST_ODDS))), 2)))


def _odds(count: Count, total: Count) -> float:
    """How much more likely this value is among won leads than among lost ones, as a logarithm."""
    return log(count.won / total.won) - log(count.lost / total.lost)


def _moved(count: Count | None, step: int, *, won: bool) -> Count:
    """The counter after one more (or less) closed lead. A new one begins at 0.1; none falls to 0."""
    change = (step, 0) if won else (0, step)
    if count is None:
        return Count(max(change[0], 0) + _SMOOTHING, max(change[1], 0) + _SMOOTHING)
    moved = (count.won + change[0], count.lost + change[1])
    return Count(*(value if value > 0 else _SMOOTHING for value in moved))


def _totals(counts: Counts) -> dict[str, Count]:
    """The sums over the values of each field."""
    totals: dict[str, Count] = {}
    for (name, _), count in counts.items():
        before = totals.get(name, Count(0.0, 0.0))
        totals[name] = Count(before.won + count.won, before.lost + count.lost)
    return totals
