"""How well an order of leads found those that converted (pure).

In: `Ranking`s, one per cut-off: the leads that stood there, best first, and which of them converted.
Out: AUC with its interval, and how many converters the first places held.
Refuses to compare leads of different cut-offs: sales chooses among the leads of one day, and an order that
only follows the seasons would look good otherwise.

Leads come back at every cut-off, so that neighbouring rows are nearly the same: intervals resample leads, not
rows. For that, leads are dealt into groups; a group is drawn or left out with all its rows.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from random import Random
from typing import Final, NamedTuple

GROUPS: Final = 50
_ROUNDS: Final = 400
_SEED: Final = 20_260_101
_TAIL: Final = 0.025

Table = list[list[float]]
"""[a][b]: pairs of a converter of group a and another lead of group b, of the same cut-off."""


class Pairs(NamedTuple):
    """What AUC is made of: pairs with the converter above (equals count half), and all pairs."""

    ordered: Table
    every: Table


class Interval(NamedTuple):
    """95 of 100 resamples lie in it."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """The leads of one cut-off in one order.

    blocks:  positions of leads, best first; those with equal scores together
    won:     for each position 1 if that lead converted, else 0
    groups:  for each position the group that its lead was dealt into
    places:  after each block, how many places are taken; `found` how many converters hold them
    """

    blocks: Sequence[Sequence[int]]
    won: Sequence[int]
    groups: Sequence[int]
    places: Sequence[int]
    found: Sequence[int]

    @property
    def converters(self) -> int:
        return self.found[-1] if self.found else 0

    def captured(self, places: int) -> float:
        """Converters among the first so many leads; where equal scores straddle the end, on average."""
        block = bisect_left(self.places, places)
        if block == len(self.places):
            return self.converters
        taken, found = (self.places[block - 1], self.found[block - 1]) if block else (0, 0)
        share = (places - taken) / (self.places[block] - taken)
        return found + (self.found[block] - found) * share


def ranked(scores: Sequence[float], won: Sequence[int], groups: Sequence[int]) -> Ranking:
    """These leads, higher scores first."""
    positions: dict[float, list[int]] = {}
    for position, score in enumerate(scores):
        positions.setdefault(score, []).append(position)
    blocks = [positions[score] for score in sorted(positions, reverse=True)]
    found = accumulate(sum([won[position] for position in block]) for block in blocks)
    return Ranking(blocks, won, groups, list(accumulate(map(len, blocks))), list(found))


def ordered_pairs(rankings: Iterable[Ranking]) -> Table:
    """How often a converter stood above another lead of its cut-off; equal scores count half."""
    table = _zeros()
    for ranking in rankings:
        won, groups = ranking.won, ranking.groups
        below = [0.0] * GROUPS
        for block in reversed(ranking.blocks):
            winners = Counter([groups[position] for position in block if won[position]])
            others = [groups[position] for position in block if not won[position]]
            if winners:
                tied = Counter(others)
                _add(table, winners, [count + tied[group] / 2 for group, count in enumerate(below)])
            for group in others:
                below[group] += 1
    return table


def every_pair(won: Sequence[Sequence[int]], groups: Sequence[Sequence[int]]) -> Table:
    """How many pairs of a converter and another lead of its cut-off there are, whatever the order."""
    table = _zeros()
    for outcomes, dealt in zip(won, groups, strict=True):
        sides = Counter(zip(map(bool, outcomes), dealt, strict=True))
        winners = Counter({group: count for (converted, group), count in sides.items() if converted})
        _add(table, winners, [sides[False, group] for group in range(GROUPS)])
    return table


def auc(pairs: Pairs) -> float | None:
    """The chance that a converter stood above another lead of its cut-off; None without such pairs."""
    every = sum(map(sum, pairs.every))
    return sum(map(sum, pairs.ordered)) / every if every else None


def resampled(orders: Sequence[Pairs]) -> list[list[float]]:
    """For each order its AUC in every resample; the same resamples for all, so that they can be compared.

    A resample without converters or without others says nothing and is left out. The seed is fixed.
    """
    chance = Random(_SEED)  # noqa: S311 - draws samples, guards nothing
    rounds = []
    for _ in range(_ROUNDS):
        drawn = Counter(chance.choices(range(GROUPS), k=GROUPS))
        weights = [float(drawn[group]) for group in range(GROUPS)]
        sums = [(_weighted(pairs.ordered, weights), _weighted(pairs.every, weights)) for pairs in orders]
        if all(every for _, every in sums):
            rounds.append([ordered / every for ordered, every in sums])
    return [list(column) for column in zip(*rounds, strict=True)] or [[] for _ in orders]


def interval(values: Sequence[float]) -> Interval | None:
    """What is left of these without the most extreme 2.5 % on either side; None if there are none."""
    if not values:
        return None
    ordered = sorted(values)
    last = len(ordered) - 1
    return Interval(ordered[round(_TAIL * last)], ordered[round((1 - _TAIL) * last)])


def precision(rankings: Sequence[Ranking], places: Sequence[int]) -> float | None:
    """The share of converters among the first so many leads of each cut-off; None if there are no leads."""
    taken = sum(min(count, len(ranking.won)) for ranking, count in zip(rankings, places, strict=True))
    found = sum(ranking.captured(count) for ranking, count in zip(rankings, places, strict=True))
    return found / taken if taken else None


def lift(rankings: Sequence[Ranking], places: Sequence[int]) -> float | None:
    """How many times more converters than so many leads of the same cut-offs, drawn blindly, would hold."""
    expected = sum(
        min(count, len(ranking.won)) * ranking.converters / len(ranking.won)
        for ranking, count in zip(rankings, places, strict=True)
        if ranking.won
    )
    found = sum(ranking.captured(count) for ranking, count in zip(rankings, places, strict=True))
    return found / expected if expected else None


def share(rankings: Iterable[Ranking], percent: int) -> list[int]:
    """So many percent of each cut-off's leads, rounded up, in places."""
    return [-(-len(ranking.won) * percent // 100) for ranking in rankings]


def curve(rankings: Sequence[Ranking]) -> list[float]:
    """The share of all converters in the best 10, 20 … 100 percent of each cut-off; empty without any."""
    converters = sum(ranking.converters for ranking in rankings)
    if not converters:
        return []
    return [
        sum(
            ranking.captured(count) for ranking, count in zip(rankings, share(rankings, percent), strict=True)
        )
        / converters
        for percent in range(10, 101, 10)
    ]


def _zeros() -> Table:
    return [[0.0] * GROUPS for _ in range(GROUPS)]


def _add(table: Table, winners: Mapping[int, int], beaten: Sequence[float]) -> None:
    """Every one of the winners stood above so many others of each group."""
    for group, times in winners.items():
        table[group] = [before + times * count for before, count in zip(table[group], beaten, strict=True)]


def _weighted(table: Table, weights: Sequence[float]) -> float:
    rows = [sum(map(mul, row, weights)) for row in table]
    weighted: float = sum(map(mul, rows, weights))
    return weighted
