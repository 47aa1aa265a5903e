"""What an account is from its people: score, active people, stage, and when to look again."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ids import LeadId
from shared.scoring.definition.accounts import MEASURES, NO_STAGE, Accounts, AccountStage, Measure, Needs
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.accounts import (
    AccountLook,
    AccountNumbers,
    Member,
    Place,
    look,
    look_again_at,
    numbers_of,
    stage_of,
)
from shared.scoring.engine.fold import refold
from shared.scoring.engine.next_change import score_between
from shared.scoring.engine.score import standing
from tests.scoring.small import NOW, event, model, rule

DAY = timedelta(days=1)
START = Place(stage=NO_STAGE, since=NOW - 90 * DAY)


def stage(name: str, enter: Sequence[Needs], leave: Sequence[Needs]) -> AccountStage:
    return AccountStage(name=name, label={"en": name, "de": name}, enter=tuple(enter), leave=tuple(leave))


ENGAGED = stage("engaged", [{"score": 40, "active_people": 1}], [{"score": 25}])
HOT = stage("hot", [{"score": 70, "active_people": 2}], [{"score": 50}, {"active_people": 1}])


def accounts(*stages: AccountStage, sums: bool = False, limit: int = 100) -> Accounts:
    return Accounts(
        sums=sums,
        limit=limit,
        active_within_s=30 * 86_400.0,
        private_domains=frozenset(),
        private_lists=(),
        stages=stages or (ENGAGED, HOT),
    )


def member(number: int, score: int, idle: timedelta | None = DAY, stage: StageName = "lead") -> Member:
    acted = None if idle is None else NOW - idle
    return Member(lead_id=LeadId(UUID(int=number)), score=score, stage=stage, last_act_at=acted)


def judged(given: Accounts, members: Sequence[Member], place: Place = START) -> AccountLook:
    return look(given, members, place, NOW, "people")


def test_the_best_persons_score_is_the_accounts() -> None:
    """However many others there are; an account without people has none."""
    assert numbers_of(accounts(), [member(1, 20), member(2, 55), member(3, 40)], NOW).score == 55
    assert numbers_of(accounts(), [], NOW) == AccountNumbers(score=0, active_people=0)


def test_a_sum_stops_at_its_limit() -> None:
    """Scores add up until the limit."""
    summed = accounts(sums=True, limit=120)
    assert numbers_of(summed, [member(1, 50), member(2, 60)], NOW).score == 110
    assert numbers_of(summed, [member(1, 50), member(2, 60), member(3, 70)], NOW).score == 120


def test_who_is_disqualified_does_not_count() -> None:
    """Neither with their score nor as somebody active."""
    numbers = numbers_of(accounts(), [member(1, 90, stage="disqualified"), member(2, 10)], NOW)
    assert numbers == AccountNumbers(score=10, active_people=1)


@pytest.mark.parametrize(
    ("idle", "active"),
    [(timedelta(0), 1), (30 * DAY - timedelta(seconds=1), 1), (30 * DAY, 0), (None, 0)],
)
def test_active_is_who_did_something_within_the_time(idle: timedelta | None, active: int) -> None:
    """To the second; who never did anything is not."""
    assert numbers_of(accounts(), [member(1, 0, idle)], NOW).active_people == active


def test_an_account_goes_straight_to_the_furthest_stage_it_has_a_line_for() -> None:
    """One move, with its cause, its number and its time."""
    seen = judged(accounts(), [member(1, 80), member(2, 10)])
    assert seen.place == Place(stage="hot", since=NOW, sequence=1)
    passed = seen.transition
    assert passed
    assert (passed.previous_stage, passed.stage, passed.cause, passed.at) == ("none", "hot", "people", NOW)


def test_between_the_lines_an_account_stays_where_it_is() -> None:
    """At 30 an engaged account stays engaged, and one that was nowhere stays there."""
    engaged = Place(stage="engaged", since=NOW - DAY, sequence=4)
    assert judged(accounts(), [member(1, 30)], engaged) == AccountLook(
        numbers=AccountNumbers(score=30, active_people=1), place=engaged, transition=None
    )
    assert judged(accounts(), [member(1, 30)]).place == START


@pytest.mark.parametrize(
    ("score", "people", "falls_to"),
    [(49, 2, "engaged"), (30, 2, "engaged"), (24, 2, "none"), (60, 0, "engaged")],
)
def test_a_falling_account_stops_at_the_first_stage_it_may_stay_in(
    score: int, people: int, falls_to: str
) -> None:
    """Below the line of hot it is engaged still, down to the lower line of that."""
    numbers = AccountNumbers(score=score, active_people=people)
    assert stage_of(accounts(), "hot", numbers) == falls_to


def test_what_would_be_left_at_once_is_not_entered() -> None:
    """A line to leave forbids the stage, whatever line to enter holds."""
    picky = stage("picky", [{"score": 40}], [{"active_people": 2}])
    assert stage_of(accounts(picky), NO_STAGE, AccountNumbers(score=80, active_people=1)) == NO_STAGE
    assert stage_of(accounts(picky), NO_STAGE, AccountNumbers(score=80, active_people=2)) == "picky"


def test_several_lines_are_alternatives_and_one_line_holds_together() -> None:
    """Either much score, or some score and two people."""
    either = stage("either", [{"score": 80}, {"score": 40, "active_people": 2}], [{"score": 10}])
    for score, people, there in ((80, 0, True), (40, 2, True), (40, 1, False), (10, 2, False)):
        numbers = AccountNumbers(score=score, active_people=people)
        assert (stage_of(accounts(either), NO_STAGE, numbers) == "either") is there


def test_a_stage_that_the_model_does_not_have_any_more_counts_as_none() -> None:
    """After another model was published, the account is where its numbers put it."""
    gone = Place(stage="gone", since=NOW - DAY, sequence=3)
    moved = judged(accounts(), [member(1, 30)], gone).transition
    assert moved
    assert (moved.previous_stage, moved.stage, moved.sequence) == ("gone", "none", 4)


MEMBERS = st.lists(
    st.builds(
        member,
        st.integers(1, 9),
        st.integers(0, 100),
        st.none() | st.integers(0, 60).map(lambda days: days * DAY),
        st.sampled_from(["lead", "mql", "disqualified"]),
    ),
    max_size=8,
)
MEASURE: st.SearchStrategy[Measure] = st.sampled_from(MEASURES)
NEEDS = st.dictionaries(MEASURE, st.integers(1, 100), min_size=1, max_size=2)
STAGES = st.lists(st.tuples(st.lists(NEEDS, min_size=1, max_size=2), st.lists(NEEDS, max_size=2)), max_size=4)


@st.composite
def any_accounts(draw: st.DrawFn) -> Accounts:
    stages = [stage(f"s{n}", enter, leave) for n, (enter, leave) in enumerate(draw(STAGES))]
    return accounts(*stages, sums=draw(st.booleans()), limit=draw(st.integers(1, 300)))


PLACES = st.sampled_from([NO_STAGE, "s0", "s1", "s2", "s3", "gone"]).map(
    lambda name: Place(stage=name, since=NOW - DAY, sequence=2)
)


@given(any_accounts(), MEMBERS, PLACES, st.randoms())
def test_the_order_of_the_people_does_not_matter(
    given_accounts: Accounts, members: list[Member], place: Place, random: Random
) -> None:
    """An account is a function of its members and of where it stood, not of who was looked at first."""
    shuffled = list(members)
    random.shuffle(shuffled)
    assert judged(given_accounts, shuffled, place) == judged(given_accounts, members, place)


@given(any_accounts(), MEMBERS, PLACES)
def test_looking_twice_changes_nothing(given_accounts: Accounts, members: list[Member], place: Place) -> None:
    """Where a look put the account, the next look at the same people leaves it."""
    once = judged(given_accounts, members, place)
    again = judged(given_accounts, members, once.place)
    assert (again.place, again.transition, again.numbers) == (once.place, None, once.numbers)


@given(any_accounts(), PLACES, st.tuples(*[st.integers(0, 120)] * 4))
def test_more_points_and_more_people_never_lower_a_stage(
    given_accounts: Accounts, place: Place, numbers: tuple[int, int, int, int]
) -> None:
    """So two bounds speak for everything in between."""
    names = [NO_STAGE, *(each.name for each in given_accounts.stages)]
    score, people, more_score, more_people = numbers
    few = stage_of(given_accounts, place.stage, AccountNumbers(score=score, active_people=people))
    many = stage_of(
        given_accounts,
        place.stage,
        AccountNumbers(score=score + more_score, active_people=people + more_people),
    )
    assert names.index(few) <= names.index(many)


FADING = model(
    engagement=rule("a", "event: a, points: 60, half_life: 10d")
    + rule("b", "event: b, points: -50, half_life: 3d")
)


DEEDS = st.lists(st.tuples(st.integers(0, 40), st.sampled_from("aab")), min_size=1, max_size=3)


@given(
    any_accounts(),
    PLACES,
    st.lists(DEEDS, min_size=1, max_size=3),
    st.integers(0, 40 * 24),
)
def test_nothing_happens_before_the_time_to_look_again(
    given_accounts: Accounts, place: Place, everybody: list[list[tuple[int, str]]], hours: int
) -> None:
    """Until then the account stays where it is and as many are active; so nothing is noticed late."""
    states = {
        LeadId(UUID(int=n)): refold(
            FADING, [event(i, name, days * DAY) for i, (days, name) in enumerate(deeds)]
        )
        for n, deeds in enumerate(everybody)
    }
    acted = {
        LeadId(UUID(int=n)): NOW - min(days for days, _ in deeds) * DAY for n, deeds in enumerate(everybody)
    }

    def people(hours_ahead: int) -> list[Member]:
        at = NOW + timedelta(hours=hours_ahead)
        return [
            Member(
                lead_id=lead, score=standing(FADING, state, at).total, stage="lead", last_act_at=acted[lead]
            )
            for lead, state in states.items()
        ]

    now = judged(given_accounts, people(0), place)
    due = look_again_at(
        given_accounts,
        people(0),
        now.place.stage,
        NOW,
        lambda one, until: score_between(FADING, states[one.lead_id], NOW, until),
    )
    assert due is not None
    assert due > NOW
    later = NOW + timedelta(hours=hours)
    if later < due:
        then = look(given_accounts, people(hours), now.place, later, "time")
        assert then.transition is None
        assert then.numbers.active_people == now.numbers.active_people


def test_an_account_of_nobody_is_never_due() -> None:
    """Nothing can change it but people."""
    assert look_again_at(accounts(), [], NO_STAGE, NOW, lambda *_: (0, 0)) is None


def test_a_fading_account_is_due_before_it_crosses_its_line() -> None:
    """60 points with a half-life of ten days are 25 after 12.6 days; the look is shortly before."""
    state = refold(FADING, [event(1, "a", timedelta(0))])
    one = Member(lead_id=LeadId(UUID(int=1)), score=60, stage="lead", last_act_at=NOW)
    due = look_again_at(
        accounts(ENGAGED), [one], "engaged", NOW, lambda _, until: score_between(FADING, state, NOW, until)
    )
    assert due
    assert 11 * DAY < due - NOW < 13 * DAY


def test_a_rising_account_is_due_before_it_crosses_its_line() -> None:
    """Points that were taken away come back: 60 less 50 is 25 after two days, and looked at before."""
    state = refold(FADING, [event(1, "a", timedelta(0)), event(2, "b", timedelta(0))])
    one = Member(lead_id=LeadId(UUID(int=1)), score=10, stage="lead", last_act_at=NOW)
    due = look_again_at(
        accounts(stage("up", [{"score": 25}], [{"score": 5}])),
        [one],
        NO_STAGE,
        NOW,
        lambda _, until: score_between(FADING, state, NOW, until),
    )
    assert due
    assert DAY < due - NOW < 3 * DAY
    assert standing(FADING, state, due).total < 25 <= standing(FADING, state, due + 2 * DAY).total
