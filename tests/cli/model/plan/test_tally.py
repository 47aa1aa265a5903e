"""Many leads: counters that add up however the leads are split, and the few that are shown."""

from functools import reduce
from itertools import chain, pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.model.plan import tally as tallies
from services.cli.model.plan.tally import Tally, merge
from tests.cli.model.plan.worlds import ACTIVE, DEARER, STRICTER, events, replayed, tally, trial

acts = st.tuples(
    st.sampled_from(["email.clicked", "form.submitted", "page.viewed"]),
    st.floats(0.01, 20, allow_nan=False),
)
crowds = st.lists(st.lists(acts, min_size=1, max_size=4), max_size=14)


@given(crowd=crowds, cuts=st.lists(st.integers(0, 14), max_size=4), draft=st.sampled_from([DEARER, STRICTER]))
@settings(max_examples=60)
def test_any_split_among_workers_gives_the_same_tally(
    crowd: list[list[tuple[str, float]]], cuts: list[int], draft: object
) -> None:
    """Merging the tallies of pieces, in any order and through bytes, is counting everything at once."""
    on = trial(draft)  # type: ignore[arg-type]
    people = [replayed(on, number + 1, events(number + 1, *acts)) for number, acts in enumerate(crowd)]
    borders = sorted({0, len(people), *(min(cut, len(people)) for cut in cuts)})
    pieces = [tally(on, people[a:b]) for a, b in pairwise(borders)] or [tally(on, [])]
    travelled = [msgspec.msgpack.decode(msgspec.msgpack.encode(piece), type=Tally) for piece in pieces]
    whole = tally(on, people)
    assert reduce(merge, travelled) == whole
    assert reduce(merge, reversed(travelled)) == whole


@given(crowd=crowds, cut=st.integers(0, 14))
@settings(max_examples=60)
def test_full_boards_are_merged_right(crowd: list[list[tuple[str, float]]], cut: int) -> None:
    """Where more leads move than are shown, the same ones are shown whoever counted them."""
    on = trial(DEARER)
    people = [replayed(on, number + 1, events(number + 1, *acts)) for number, acts in enumerate(crowd)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tallies, "MOST_MOVERS", 2)
        patch.setattr(tallies, "MOST_PER_FLOW", 2)
        merged = merge(tally(on, people[cut:]), tally(on, people[:cut]))
        assert merged == tally(on, people)
        assert [one.rank for one in merged.movers] == sorted(one.rank for one in merged.movers)
    ranks = sorted((-abs(one.difference), str(one.lead)) for one in people if one.difference)
    assert [one.rank for one in merged.movers] == ranks[:2]


def test_every_lead_is_in_each_count_once() -> None:
    """Three leads, one of which moves: flow, scores, grades, higher and lower."""
    on = trial(DEARER)
    made = tally(
        on,
        [
            replayed(on, 1, events(1, ("email.clicked", 1))),
            replayed(on, 2, events(2, ("page.viewed", 1))),
            replayed(on, 3, events(3, ("form.submitted", 1))),
        ],
    )
    assert (made.leads, made.events, made.higher, made.lower) == (3, 3, 1, 0)
    assert made.flow == {"lead": {"mql": 1, "lead": 1}, "mql": {"mql": 1}}
    assert made.scores[0] == [1, 1]
    assert made.scores[1] == [1, 0]
    assert made.scores[3] == [1, 2]
    assert made.grades == {"D3": [1, 0], "D2": [1, 2], "D4": [1, 1]}
    assert made.entered == {"lead": [3, 3], "mql": [1, 2]}
    assert made.load == {"sales": [*[[0, 0]] * 6, [1, 2]], "crm": [[0, 0]] * 7}
    assert made.burst == {"sales": 1, "crm": 0}


def test_a_mover_says_which_lines_of_the_receipt_differ() -> None:
    """The click is worth 16 more; the line is named by its rule and its label without the count."""
    on = trial(DEARER)
    [shown] = tally(on, [replayed(on, 1, events(1, ("email.clicked", 1), ("page.viewed", 1)))]).movers
    assert (shown.stages, shown.scores) == (("lead", "mql"), (18, 35))
    [line] = shown.lines
    assert (line.rule, line.label, line.before, line.after) == ("click", "E-mail clicked", 14, 31)


def test_addresses_are_shown_to_those_who_ask() -> None:
    """By default a lead is its id."""
    on = trial(DEARER)
    people = [replayed(on, 1, events(1, ("email.clicked", 1)))]
    assert [one.email for one in tally(on, people).movers] == [None]
    assert [one.email for one in tally(on, people, emails=True).movers] == ["person-1@example.com"]


def test_a_draft_that_is_the_active_model_moves_nobody() -> None:
    """No mover, no burst, and every pair is twice the same."""
    on = trial(ACTIVE)
    made = tally(
        on, [replayed(on, n, events(n, ("email.clicked", n), ("form.submitted", 3))) for n in (1, 2)]
    )
    assert made.movers == []
    assert made.changers == {}
    pairs = [*made.scores, *made.grades.values(), *made.entered.values(), *chain(*made.load.values())]
    assert all(before == after for before, after in pairs)


def test_scores_that_fall_are_counted_too() -> None:
    """Back from the dearer model: one lead falls, one stays."""
    on = trial(ACTIVE, active=DEARER)
    people = [
        replayed(on, 1, events(1, ("email.clicked", 1))),
        replayed(on, 2, events(2, ("page.viewed", 1))),
    ]
    made = tally(on, people)
    assert (made.higher, made.lower) == (0, 1)
