"""AUC, lift, precision and intervals against the plainest possible way to compute them."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.model.backtest import quality
from services.cli.model.backtest.quality import GROUPS, Pairs, Ranking

Rows = list[tuple[int, bool, int]]
"""(score, converted, lead) of those who stood at one cut-off."""

rows = st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 2 * GROUPS)), max_size=14)
cutoffs = st.lists(rows, min_size=1, max_size=4)


def ranking(found: Rows) -> Ranking:
    return quality.ranked(
        [score for score, *_ in found],
        [int(won) for _, won, _ in found],
        [lead % GROUPS for *_, lead in found],
    )


def pairs_of(rankings: list[Ranking]) -> Pairs:
    every = quality.every_pair([each.won for each in rankings], [each.groups for each in rankings])
    return Pairs(quality.ordered_pairs(rankings), every)


def brute_auc(days: list[Rows]) -> float | None:
    pairs = [
        (winner, other)
        for day in days
        for winner, won, _ in day
        if won
        for other, converted, _ in day
        if not converted
    ]
    beaten = sum((winner > other) + (winner == other) / 2 for winner, other in pairs)
    return beaten / len(pairs) if pairs else None


@given(cutoffs)
def test_auc_is_the_share_of_pairs_in_the_right_order(days: list[Rows]) -> None:
    """Every converter against every other lead of the same cut-off; equal scores count half."""
    computed = quality.auc(pairs_of([ranking(day) for day in days]))
    assert computed == (None if brute_auc(days) is None else pytest.approx(brute_auc(days)))


def test_leads_of_different_cutoffs_are_not_compared() -> None:
    """A season in which everybody scores high and converts proves nothing about the order of leads."""
    summer, winter = [(90, True, 1), (90, False, 2)], [(5, False, 3), (5, True, 4), (5, False, 5)]
    assert quality.auc(pairs_of([ranking(summer), ranking(winter)])) == 0.5


@given(rows, st.integers(1, 16), st.integers(0, 10**6))
def test_the_first_places_are_filled_at_random_among_equals(day: Rows, places: int, seed: int) -> None:
    """Where equal scores straddle the last place, it is the mean over all ways to break the tie."""
    chance, total, times = Random(seed), 0, 600
    for _ in range(times):
        order = sorted(day, key=lambda row: (-row[0], chance.random()))
        total += sum(won for _, won, _ in order[:places])
    assert ranking(day).captured(places) == pytest.approx(total / times, abs=0.35)


def test_ties_at_the_last_place_count_as_a_share() -> None:
    """Three leads stand at 5, one of them converts, and one place is left: a third of a conversion."""
    day = ranking([(9, True, 1), (5, True, 2), (5, False, 3), (5, False, 4), (1, True, 5)])
    assert day.captured(2) == pytest.approx(1 + 1 / 3)
    assert day.captured(4) == 2
    assert day.captured(99) == 3
    assert day.captured(0) == 0


@given(cutoffs)
def test_all_leads_have_the_base_rate_and_no_lift(days: list[Rows]) -> None:
    """Whoever takes everybody gets what blind drawing gets."""
    rankings = [ranking(day) for day in days]
    everybody = quality.share(rankings, 100)
    total, won = sum(map(len, days)), sum(converted for day in days for _, converted, _ in day)
    assert quality.precision(rankings, everybody) == (pytest.approx(won / total) if total else None)
    assert quality.lift(rankings, everybody) == (pytest.approx(1) if won else None)


def test_lift_is_measured_against_the_same_cutoffs() -> None:
    """Two conversions among the two best of ten, where two of ten convert: five times as many as blindly."""
    day = ranking([(score, score >= 8, score) for score in range(10)])
    assert quality.lift([day], [2]) == pytest.approx(5)
    assert quality.precision([day], [2]) == 1
    assert quality.share([day], 20) == [2]
    assert quality.share([day], 1) == [1]


@given(cutoffs)
def test_the_curve_rises_to_everything(days: list[Rows]) -> None:
    """More leads never hold fewer conversions, and all of them hold all."""
    curve = quality.curve([ranking(day) for day in days])
    if any(converted for day in days for _, converted, _ in day):
        assert len(curve) == 10
        assert all(before <= after + 1e-9 for before, after in pairwise(curve))
        assert curve[-1] == pytest.approx(1)
    else:
        assert curve == []


def noise(seed: int, leads: int, cutoffs: int) -> list[Ranking]:
    """Leads whose score and outcome have nothing to do with each other, but stay the same at each cut-off."""
    chance = Random(seed)
    world = [(chance.randrange(101), chance.random() < 0.2, lead) for lead in range(leads)]
    return [ranking(world) for _ in range(cutoffs)]


def test_intervals_hold_the_truth_however_often_a_lead_is_looked_at() -> None:
    """Twenty looks at the same leads are no more evidence than one: noise stays within its interval.

    Resampling rows instead of leads makes the interval four times too narrow and misses most of these.
    """
    misses = 0
    for seed in range(25):
        (values,) = quality.resampled([pairs_of(noise(seed, leads=90, cutoffs=20))])
        found = quality.interval(values)
        assert found is not None
        misses += not found.low <= 0.5 <= found.high
    assert misses <= 4


def test_intervals_are_the_same_every_time() -> None:
    """The seed is fixed: two runs over the same history print the same figures."""
    pairs = pairs_of(noise(1, leads=50, cutoffs=3))
    assert quality.resampled([pairs]) == quality.resampled([pairs])


def test_orders_are_resampled_together() -> None:
    """The difference between an order and itself is nothing, in every resample."""
    pairs = pairs_of(noise(2, leads=50, cutoffs=3))
    first, second = quality.resampled([pairs, pairs])
    assert first == second


def test_without_conversions_there_is_no_figure() -> None:
    """Nothing to tell is None, never a number."""
    nobody = [ranking([(3, False, 1), (4, False, 2)]), ranking([])]
    pairs = pairs_of(nobody)
    assert quality.auc(pairs) is None
    assert quality.interval(quality.resampled([pairs])[0]) is None
    assert quality.lift(nobody, [1, 1]) is None
    assert quality.precision([ranking([])], [1]) is None
