"""What a model is warned about, one small model for each warning."""

import pytest

from shared.scoring import model_file
from shared.scoring.lint import lint
from tests.scoring.small import BASE, model, rule, stage
from tests.scoring.test_reference_model import load

FIT = rule("f", "when: {a: 1}, points: 30", group="who")
ACT = rule("a", "event: a, points: 40")
LEAVE = "leave: {below: {score: 20}, to: lead}"


@pytest.mark.parametrize("name", ["scoring.yaml", "scoring.demo.yaml"])
def test_the_models_that_ship_have_no_warnings(name: str) -> None:
    """A starting point must not begin with doubts."""
    assert lint(load(name)) == []


@pytest.mark.parametrize(
    ("sections", "warning"),
    [
        ({"engagement": ACT}, 'group "who" has no rule. Remove it, or put rules into it'),
        (
            {"fit": FIT, "engagement": rule("a", "event: a, points: 40, between: [0, 25]")},
            'rule "a": one hit is worth 40, but the rule stops at 25. Change one of them',
        ),
        (
            {
                "fit": FIT,
                "engagement": rule("a", "event: a, points: 40")
                + rule("b", "event: b, points: -9, between: [-5, 0]"),
            },
            'rule "b": one hit is worth -9, but the rule stops at -5. Change one of them',
        ),
        (
            {"fit": FIT, "engagement": ACT + rule("b", "event: b, points: -9, between: [0, 5]")},
            'rule "b" takes points away, but its bounds begin at 0: it does nothing. Lower the bound',
        ),
        (
            {"fit": FIT, "engagement": ACT + rule("b", "event: [a, b], points: 3")},
            'rules "a" and "b" both pay a. Make their conditions exclude each other, or remove one',
        ),
        (
            {
                "fit": FIT,
                "engagement": rule("a", "event: a, points: 40, when: {properties.x: [1, 2]}")
                + rule("b", "event: a, points: 3, when: {properties.x: {in: [2, 3]}}"),
            },
            'rules "a" and "b" both pay a. Make their conditions exclude each other, or remove one',
        ),
        (
            {"fit": FIT, "engagement": rule("a", "event: a, points: 4, limit: {times: 2, per: ever}")},
            "grade 1 needs engagement 30, but the most is 8. Lower it",
        ),
        (
            {"fit": rule("f", "when: {a: 1}, points: 29", group="who"), "engagement": ACT},
            "grade A needs fit 30, but the most is 29. Lower it",
        ),
        (
            {
                "fit": FIT,
                "engagement": ACT,
                "stages": stage("mql", f"enter: {{at_least: {{score: 40, fit: 31}}}}, {LEAVE}"),
            },
            'stage "mql": nobody can reach fit 31, the most is 30. Lower the line, or give more points',
        ),
        (
            {"fit": FIT, "engagement": ACT, "stages": stage("mql", "enter: {at_least: {score: 40}}")},
            'stage "mql": nothing leaves it, however far the score falls. Add leave: with a lower line',
        ),
        (
            {
                "fit": FIT,
                "engagement": ACT,
                "stages": stage(
                    "mql", "enter: {at_least: {score: 40}}, leave: {below: {score: 40}, to: lead}"
                ),
            },
            (
                'stage "mql": entered at score 40, left below 40: leads would come and go. '
                "Leave at a lower line, such as 30"
            ),
        ),
        (
            {
                "fit": FIT,
                "engagement": ACT,
                "stages": stage(
                    "mql",
                    f"enter: {{at_least: {{score: 40}}, from: [lead, recycled]}}, {LEAVE}, "
                    "limit: {after: 9d, to: recycled}",
                )
                + stage("recycled", "enter: {event: lead.rejected}"),
            },
            (
                'stage "mql": its time limit sends leads to "recycled", and the score may bring them '
                "back at once. Add after: to that line"
            ),
        ),
    ],
)
def test_a_doubtful_model_is_warned_about(sections: dict[str, str], warning: str) -> None:
    """One sentence with rule, number and remedy; grades that are out of reach are told besides."""
    found = lint(model(**sections))
    others = [each for each in found if not each.startswith("grade")]
    assert (others or found[:1]) == [warning]


@pytest.mark.parametrize(
    "others",
    [
        rule("b", "event: b, points: 3"),
        rule("b", "event: a, points: -3"),
        rule("b", "event: a, points: 3, repeat: {times: 3, within: 1d}"),
        rule("b", "event: a, points: 3, after: {event: b, within: 1d}"),
    ],
)
def test_rules_that_do_not_pay_the_same_twice_are_left_alone(others: str) -> None:
    """Other events, deductions, and bonuses for repetition and sequence are what people mean."""
    assert lint(model(fit=FIT, engagement=ACT + others)) == []


def test_conditions_that_exclude_each_other_are_left_alone() -> None:
    """Two values of one field never pay one event."""
    two = rule("a", "event: a, points: 40, when: {properties.x: 1}")
    two += rule("b", "event: a, points: 3, when: {properties.x: 2}")
    assert lint(model(fit=FIT, engagement=two)) == []


def test_a_dimension_cuts_off_a_hit_too() -> None:
    """The nearest bound that cuts is the one that is named."""
    text = BASE.replace("dimension: engagement}", "dimension: engagement, between: [0, 20]}")
    text = text.replace('"1": 30', '"1": 20').replace('"2": 20', '"2": 15') + f"engagement:\n{ACT}fit:\n{FIT}"
    assert lint(model_file.load(text, file="x.yaml")) == [
        'rule "a": one hit is worth 40, but group "did" stops at 20. Change one of them'
    ]
