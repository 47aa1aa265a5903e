"""The snapshots of a backtest → how well each order of leads found those that converted (pure).

In: a `Board`, the models' names, how many leads a day sales can work. Out: `Comparison`.
Refuses to show a model alone: recency, Odoo's method and a shuffled control stand beside it.

Odoo's method learns anew at each cut-off, from what was decided until then. Where a CRM never said that a
lead was lost, a lead counts as lost that had a whole horizon without the outcome.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import median_low
from typing import Final, NamedTuple

from services.cli.model.backtest import quality
from services.cli.model.backtest.board import Board, Cutoff
from services.cli.model.backtest.crm_view import PIPELINE, WON_STAGE
from services.cli.model.backtest.odoo import Counters
from services.cli.model.backtest.quality import GROUPS, Interval, Pairs, Ranking, Table
from services.cli.model.backtest.snapshots import Decision

RECENCY: Final = "recency"
ODOO: Final = "Odoo"
SHUFFLED: Final = "shuffled"
PERCENTS: Final = (10, 20)
_SEED: Final = 20_260_102

Scores = Sequence[Sequence[float]]
"""For each cut-off the scores of those who stood there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How well one order did; None where there is nothing to tell.

    auc:       the chance that a converter stood above another lead of the same cut-off
    ahead:     by how much the first order's AUC is higher, as an interval
    lift:      percent → converters among the best so many percent, against drawing blindly
    precision: percent → share of converters among them
    at_capacity: share of converters among the first n of each cut-off
    curve:     share of all converters in the best 10, 20 … 100 percent
    """

    name: str
    auc: float | None
    interval: Interval | None
    ahead: Interval | None
    lift: Mapping[int, float | None]
    precision: Mapping[int, float | None]
    at_capacity: float | None
    curve: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLift:
    """What happened to snapshots in which a rule was worth a point or more, and to the others.

    converted, otherwise:  shares; None where there are none
    """

    rule: str
    snapshots: int
    converted: float | None
    otherwise: float | None

    @property
    def lift(self) -> float | None:
        if self.converted is None or not self.otherwise:
            return None
        return self.converted / self.otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a backtest found.

    orders:     the models first, the one asked about before the active one
    line:       the score that the n-th best lead had at the median cut-off; None if there were never n leads
    lost_said:  a CRM said which leads were lost, so that Odoo's method learned from that
    odoo_knew:  cut-offs at which Odoo's method had won or lost leads to learn from
    """

    orders: Sequence[Quality]
    rules: Sequence[RuleLift]
    base_rate: float | None
    line: int | None
    lost_said: bool
    odoo_knew: int


class _Measured(NamedTuple):
    """An order's figures, all but those that need the other orders."""

    quality: Quality
    pairs: Pairs
    line: int | None


@dataclass(frozen=True, slots=True)
class _Field:
    """Who stood at each cut-off: the outcomes, and the groups the leads were dealt into for intervals."""

    won: Sequence[Sequence[int]]
    groups: Sequence[Sequence[int]]
    every: Table
    capacity: int


def compare(board: Board, names: Sequence[str], rules: Sequence[str], capacity: int) -> Comparison:
    """Compare the models with the baselines.

    names:     of the models, in the order of their columns
    rules:     ids of the first model's rules
    capacity:  leads that sales can work at a cut-off
    """
    cutoffs = board.in_order()
    groups = [[lead % GROUPS for lead in cutoff.leads] for cutoff in cutoffs]
    labels = [cutoff.won for cutoff in cutoffs]
    stood = _field(labels, groups, capacity)
    control = _field(_shuffled(labels), groups, capacity)
    taught = _odoo(board)
    measured = [_measured(name, scores, stood) for name, scores in _orders(cutoffs, names, taught)]
    measured.append(_measured(SHUFFLED, _scores(cutoffs, 0), control))
    return Comparison(
        orders=_compared(measured),
        rules=_rule_lifts(board, rules),
        base_rate=_share(sum(map(sum, labels)), board.snapshots),
        line=measured[0].line,
        lost_said=_lost_said(board),
        odoo_knew=sum(None not in chances for chances in taught),
    )


def _field(won: Sequence[Sequence[int]], groups: Sequence[Sequence[int]], capacity: int) -> _Field:
    return _Field(won, groups, quality.every_pair(won, groups), capacity)


def _orders(
    cutoffs: Sequence[Cutoff], names: Sequence[str], taught: Sequence[Sequence[float | None]]
) -> Iterator[tuple[str, Scores]]:
    for column, name in enumerate(names):
        yield name, _scores(cutoffs, column)
    yield RECENCY, [[-idle_s for idle_s in cutoff.idle_s] for cutoff in cutoffs]
    yield ODOO, [[chance or 0.0 for chance in chances] for chances in taught]


def _scores(cutoffs: Sequence[Cutoff], column: int) -> Scores:
    return [cutoff.scores[column] for cutoff in cutoffs]


def _shuffled(labels: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
    """The outcomes, dealt out anew among the leads of each cut-off."""
    chance = Random(_SEED)  # noqa: S311 - a control, guards nothing
    return [chance.sample(won, len(won)) for won in labels]


def _measured(name: str, scores: Scores, stood: _Field) -> _Measured:
    """One order against one set of outcomes."""
    rankings = [quality.ranked(*each) for each in zip(scores, stood.won, stood.groups, strict=True)]
    shares = {percent: quality.share(rankings, percent) for percent in PERCENTS}
    first = [stood.capacity] * len(rankings)
    pairs = Pairs(quality.ordered_pairs(rankings), stood.every)
    figures = Quality(
        name=name,
        auc=quality.auc(pairs),
        interval=None,
        ahead=None,
        lift={percent: quality.lift(rankings, places) for percent, places in shares.items()},
        precision={percent: quality.precision(rankings, places) for percent, places in shares.items()},
        at_capacity=quality.precision(rankings, first),
        curve=quality.curve(rankings),
    )
    return _Measured(figures, pairs, _line(scores, rankings, stood.capacity))


def _compared(measured: Sequence[_Measured]) -> list[Quality]:
    """The figures of all orders, with intervals."""
    rounds = quality.resampled([each.pairs for each in measured])
    return [
        replace(
            each.quality,
            interval=quality.interval(values),
            ahead=quality.interval([ours - theirs for ours, theirs in zip(rounds[0], values, strict=True)]),
        )
        for each, values in zip(measured, rounds, strict=True)
    ]


def _line(scores: Scores, rankings: Sequence[Ranking], capacity: int) -> int | None:
    """The score of the n-th best lead, at the median of the cut-offs with so many leads."""
    last = [
        each[ranking.blocks[bisect_left(ranking.places, capacity)][0]]
        for each, ranking in zip(scores, rankings, strict=True)
        if len(ranking.won) >= capacity
    ]
    return int(median_low(last)) if last else None


def _rule_lifts(board: Board, rules: Sequence[str]) -> list[RuleLift]:
    converted = sum(support.converted for support in board.rules.values())
    lifts = []
    for rule in rules:
        worth = [support for ids, support in board.rules.items() if rule in ids]
        among, of = sum(each.snapshots for each in worth), sum(each.converted for each in worth)
        otherwise = _share(converted - of, board.snapshots - among)
        lifts.append(RuleLift(rule=rule, snapshots=among, converted=_share(of, among), otherwise=otherwise))
    return lifts


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _lost_said(board: Board) -> bool:
    return any(decision.verdict == "lost" for _, decision in board.decisions)


def _odoo(board: Board) -> list[list[float | None]]:
    """For each cut-off the probability of everybody who stood there, by what was decided until then."""
    counters = Counters(PIPELINE, WON_STAGE)
    closed: dict[int, Decision] = {}
    ignored = "silent" if _lost_said(board) else ""
    decisions = deque(sorted(board.decisions, key=lambda each: (each[1].at_s, each[0])))
    leads = {number: view.lead() for view, number in board.views.items()}
    taught = []
    for at_s, cutoff in zip(board.moments_s(), board.in_order(), strict=True):
        while decisions and decisions[0][1].at_s <= at_s:
            lead, decision = decisions.popleft()
            if decision.verdict != ignored:
                _teach(counters, closed, lead, decision)
        judge = counters.judge()
        chances = {view: judge.probability(leads[view]) for view in set(cutoff.crm)}
        taught.append([chances[view] for view in cutoff.crm])
    return taught


def _teach(counters: Counters, closed: dict[int, Decision], lead: int, decision: Decision) -> None:
    """Count a decision; a lead that was decided before is open again first."""
    if former := closed.get(lead):
        counters.reopen(former.crm.lead(), won=former.verdict == "won")
    counters.close(decision.crm.lead(), won=decision.verdict == "won")
    closed[lead] = decision
