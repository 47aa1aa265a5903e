"""Odoo's recipe: its own check case, and each of its rules."""

import pytest

from services.cli.model.backtest.odoo import Count, Counters, CrmLead, Judge

STAGES = ("new", "qualified", "proposition")


def lead(stage: str = "new", **fields: str) -> CrmLead:
    return CrmLead(fields=fields, stage=stage)


def of_team(team: str, **fields: str) -> CrmLead:
    return CrmLead(fields=fields, stage="new", team=team)


def tagged(*tags: str) -> CrmLead:
    return CrmLead(fields={}, stage="new", tags=tags)


def test_the_check_case_of_odoos_own_test_by_its_counters() -> None:
    """The counters of Odoo's test case give the 74.30 % that it expects."""
    judge = Judge(
        {
            ("stage", "new"): Count(2.1, 3.1),
            ("stage", "qualified"): Count(2.1, 1.1),
            ("source", "ours"): Count(0.1, 2.1),
            ("source", "other"): Count(1.1, 0.1),
            ("country", "ours"): Count(1.1, 1.1),
            ("country", "other"): Count(1.1, 0.1),
            ("email", "correct"): Count(2.1, 3.1),
            ("state", "ours"): Count(2.1, 0.1),
            ("state", "other"): Count(0.1, 1.1),
            ("phone", "correct"): Count(2.1, 1.1),
            ("phone", "incorrect"): Count(0.1, 2.1),
        },
        STAGES,
    )
    fields = {"source": "ours", "country": "ours", "email": "correct", "state": "ours", "phone": "correct"}
    assert judge.probability(lead("qualified", **fields)) == 74.30


def test_the_check_case_trained_from_leads() -> None:
    """Closed leads that make these counters lead to the same 74.30 %."""
    counters = Counters(STAGES)
    counters.close(
        lead(country="ours", state="ours", source="other", email="correct", phone="correct"), won=True
    )
    counters.close(lead(country="other", state="ours", email="correct", phone="correct"), won=True)
    counters.close(
        lead("new", country="ours", source="ours", state="other", email="correct", phone="incorrect"),
        won=False,
    )
    counters.close(lead("new", source="ours", email="correct", phone="incorrect"), won=False)
    counters.close(lead("qualified", email="correct", phone="correct"), won=False)
    open_lead = lead(
        "qualified", source="ours", country="ours", email="correct", state="ours", phone="correct"
    )
    assert counters.judge().probability(open_lead) == 74.30


def test_before_anybody_was_won_or_lost_there_is_no_probability() -> None:
    """There is no prior, so nothing is said."""
    assert Counters(STAGES).judge().probability(lead()) is None


def test_a_team_that_won_nobody_takes_no_prior_of_another_team() -> None:
    """Four lost and none won in a team: improbable for each of its leads, whoever was judged before them."""
    counters = Counters(STAGES)
    for _ in range(4):
        counters.close(of_team("north"), won=False)
        counters.close(of_team("south"), won=True)
    assert counters.judge("south").probability(of_team("south")) == pytest.approx(97.62, abs=0.01)
    assert counters.judge("north").probability(of_team("north")) == pytest.approx(2.38, abs=0.01)


def test_a_team_without_history_is_judged_by_all_teams() -> None:
    """A new team, or none, learns from the sum over all teams."""
    counters = Counters(STAGES)
    for won, team in ((True, "north"), (True, "south"), (False, "south")):
        counters.close(of_team(team, source="fair" if won else "ads"), won=won)
    asked = lead(source="fair")
    assert counters.judge("west").probability(asked) == counters.judge().probability(asked)
    assert counters.judge("north").probability(asked) != counters.judge().probability(asked)


def test_empty_values_are_skipped_except_of_email_and_phone() -> None:
    """That nobody filled in a country says nothing; that there is no phone number does."""
    counters = Counters(STAGES)
    counters.close(lead(country="", phone=""), won=False)
    counters.close(lead(country="", phone="known"), won=True)
    judge = counters.judge()
    assert judge.probability(lead(country="")) == judge.probability(lead())
    assert (judge.probability(lead(phone="")) or 0) < (judge.probability(lead()) or 0)


@pytest.mark.parametrize(("times", "heard"), [(49, False), (51, True)])
def test_rare_tags_are_ignored(times: int, *, heard: bool) -> None:
    """A tag counts from fifty closed leads on."""
    counters = Counters(STAGES)
    counters.close(lead(), won=True)
    for number in range(times):
        counters.close(tagged("vip"), won=number % 5 > 0)
        counters.close(tagged("many"), won=False)
    for _ in range(60):
        counters.close(tagged("many"), won=False)
    judge = counters.judge()
    assert (judge.probability(tagged("vip")) != judge.probability(lead())) is heard


def test_a_lost_lead_passed_the_stages_up_to_where_it_was_lost() -> None:
    """Won leads passed every stage, so a late stage speaks for a lead; an early loss does not count there."""
    counters = Counters(STAGES)
    counters.close(lead("new"), won=True)
    counters.close(lead("new"), won=False)
    counters.close(lead("qualified"), won=False)
    judge = counters.judge()
    chances = [judge.probability(lead(stage)) or 0 for stage in STAGES]
    assert chances == sorted(chances)
    assert len(set(chances)) == 3


def test_stages_at_the_ends() -> None:
    """No stage: 0. The stage that is won: 100, whatever else is known."""
    judge = Counters(STAGES, "won").judge()
    assert judge.probability(lead("")) == 0
    assert judge.probability(lead("won")) == 100


def test_a_reopened_lead_is_taken_back() -> None:
    """Won, reopened, lost counts as lost alone; a counter never falls to 0."""
    once, twice = Counters(STAGES), Counters(STAGES)
    for counters in (once, twice):
        counters.close(lead(source="fair"), won=True)
        counters.close(lead(source="ads"), won=False)
    twice.close(lead(source="ads"), won=True)
    twice.reopen(lead(source="ads"), won=True)
    asked = lead(source="ads")
    assert twice.judge().probability(asked) == once.judge().probability(asked)
    twice.reopen(lead(source="fair"), won=True)
    twice.reopen(lead(source="fair"), won=True)
    assert 0 < (twice.judge().probability(lead(source="fair")) or 0) < 100


def test_probabilities_stay_between_one_and_9999_hundredths() -> None:
    """Nothing is certain: 0.01 to 99.99 percent."""
    counters = Counters(STAGES)
    for number in range(400):
        fields = dict.fromkeys(("source", "country", "industry", "size"), "good" if number % 2 else "bad")
        counters.close(lead(**fields), won=bool(number % 2))
    names = ("source", "country", "industry", "size")
    assert counters.judge().probability(lead(**dict.fromkeys(names, "good"))) == 99.99
    assert counters.judge().probability(lead(**dict.fromkeys(names, "bad"))) == 0.01
