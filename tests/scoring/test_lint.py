"""What a model is warned about, one small model for each warning."""

from pathlib import Path

import pytest

from services.scorer.models import model_source
from shared.config_file import parse
from shared.scoring.file.read import read_model
from shared.scoring.lint.lint import lint
from tests.scoring.small import BASE, rule, stage

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
FIT = rule("f", "when: {a: 1}, points: 30", group="who")
ACT = rule("a", "event: a, points: 40, half_life: 9d")
LEAVE = "leave: {below: {score: 20}, to: lead}"
MQL = stage("mql", f"enter: {{at_least: {{score: 40}}}}, {LEAVE}")
TWO = "Make their conditions exclude each other, or remove one"
ANY = "Use any: where one of them is enough"
AND_BACK = "[{at_least: {score: 30}}, {at_least: {score: 25}, from: recycled, after: 9d}]"
IN_OTHERS = (
    "it can only take back what others give there. Lower that bound, or move the rule to another group"
)


def text_of(**sections: str) -> str:
    return BASE + "".join(f"{name}:\n{body}" for name, body in sections.items())


def warnings(text: str) -> list[str]:
    return lint(read_model(parse(text, file="m.yaml")))


def act(extra: str, name: str = "b") -> dict[str, str]:
    """The two usual rules, and a third one."""
    return {"engagement": ACT + rule(name, f"half_life: 9d, {extra}"), "fit": FIT}


def fit(condition: str) -> dict[str, str]:
    return {"engagement": ACT, "fit": FIT + rule("g", f"when: {condition}, points: 5", group="who")}


def stages(*several: str) -> dict[str, str]:
    return {"fit": FIT, "engagement": ACT, "stages": "".join(several)}


@pytest.mark.parametrize("name", ["scoring.yaml", "scoring.demo.yaml"])
def test_the_models_that_ship_have_no_warnings(name: str) -> None:
    """A starting point must not begin with doubts."""
    found = model_source.gather(CONFIG / name)
    assert lint(read_model(found.document, lists=found.lists)) == []


def test_a_plain_model_has_no_warnings() -> None:
    """The parts that the doubtful models below are made of are not doubtful themselves."""
    assert warnings(text_of(fit=FIT, engagement=ACT, stages=MQL)) == []


DOUBTFUL = {
    "a group without rules": ({"engagement": ACT}, '6: group "who": it has no rule. Remove it, or put rules'),
    "an unused list": (
        {"fit": FIT, "engagement": ACT, "lists": "  odd: [x]\n"},
        '16: list "odd": no condition looks into it. Use it, or remove it',
    ),
    "a hit beyond the rule": (
        act("event: b, points: 40, between: [0, 25]"),
        '13: rule "b": one hit is worth 40, but the rule stops at 25. Change one of them',
    ),
    "a deduction beyond the rule": (
        act("event: b, points: -9, between: [-5, 0]"),
        '13: rule "b": one hit is worth -9, but the rule stops at -5. Change one of them',
    ),
    "a deduction that a floor undoes": (
        act("event: b, points: -9, between: [0, 5]"),
        '13: rule "b": it takes 9 away, but the rule never falls below 0: it does nothing. Lower the bound',
    ),
    "points of nothing": (
        act("event: b, points: 0"),
        '13: rule "b": it is worth 0 points, and receipts do not show it. Remove it',
    ),
    "a table of nothing": (act("event: b, points: {by: kind, values: {web: 0}}"), "it is worth 0 points"),
    "one event paid twice": (
        act("event: [a, b], points: 3"),
        f'13: rule "b": it pays a, and so does rule "a". {TWO}',
    ),
    "points that never age": (
        {"engagement": ACT + rule("b", "event: b, points: 1, limit: {times: 1, per: day}"), "fit": FIT},
        (
            '13: rule "b": its points never age and grow for ever. '
            "Add half_life: 30d, limit: {times: 3, per: ever}, or between: with an upper bound"
        ),
    ),
    "a value of a table that cannot come": (
        act("event: b, when: {properties.x: [p, q]}, points: {by: properties.x, values: {p: 5, r: 9}}"),
        '13: rule "b": points for properties.x "r", but the condition lets only p, q through. Change one',
    ),
    "a range that is empty": (
        fit("{size: {gte: 50, lt: 10}}"),
        f'15: rule "g": it can never hold: no value of size is gte 50 and lt 10. {ANY}',
    ),
    "a range of nothing": (fit("{size: {gt: 50, lte: 50}}"), "no value of size is gt 50 and lte 50"),
    "dates the wrong way": (
        fit("{since: {gt: 2026-02-01, lt: 2026-01-01}}"),
        "no value of since is gt 2026-02-01 and lt 2026-01-01",
    ),
    "two values at once": (
        fit("{all: [{size: small}, {size: large}]}"),
        f'no value of size is eq "small" and eq "large". {ANY}',
    ),
    "a value that its beginning forbids": (
        fit("{path: {eq: /a, starts_with: /b}}"),
        'no value of path is eq "/a" and starts_with "/b"',
    ),
    "here and absent": (fit("{size: {exists: false, gte: 3}}"), "no value of size is exists false and gte 3"),
    "not here and asked": (
        fit("{size: 3, not: {size: {exists: true}}}"),
        "no value of size is exists false and eq 3",
    ),
    "yes and no": (
        fit("{size: [a, b], not: {size: [b, a]}}"),
        "size is to meet a condition and not to meet it",
    ),
    "every way is closed": (
        fit("{size: a, any: [{size: b}, {size: c}]}"),
        'no value of size is eq "a" and eq "b"',
    ),
    "all ways are": (
        fit("{any: [{n: {gt: 2, lt: 1}}, {n: {gt: 3, lt: 1}}]}"),
        "no value of n is gt 2 and lt 1",
    ),
    "an event that is another": (
        act("event: b, when: {name: c}, points: 3"),
        '13: rule "b": it can never pay: no value of name is in [b] and eq "c"',
    ),
    "a kind that is none": (
        act("event: b, when: {kind: mail}, points: 3"),
        'no value of kind is in [crm, email, form, …] and eq "mail"',
    ),
    "what never comes first": (
        act("event: b, after: {event: a, within: 1d, when: {name: c}}, points: 3"),
        '13: rule "b": what has to come first never comes: no value of name is in [a] and eq "c"',
    ),
    "a line nobody reaches": (
        stages(stage("mql", f"enter: {{at_least: {{score: 40, fit: 31}}}}, {LEAVE}")),
        '16: stage "mql": nobody can reach fit 31, the most is 30. Lower the line, or give more points',
    ),
    "a line nobody falls below": (
        stages(stage("mql", "enter: {at_least: {score: 40}}, leave: {below: {fit: 0}, to: lead}")),
        '16: stage "mql": nobody can be below fit 0, the least is 0. Raise the line',
    ),
    "lines that exclude each other": (
        stages(stage("mql", f"enter: {{at_least: {{score: 40}}, below: {{score: 40}}}}, {LEAVE}")),
        '16: stage "mql": nobody has score 40 and less than 40 at once. Change one of them',
    ),
    "a grade that the points forbid": (
        stages(stage("mql", f"enter: {{at_least: {{fit: 30}}, grade: [B1, C2]}}, {LEAVE}")),
        '16: stage "mql": nobody with these points has grade B1 or C2. Change the points, or the grade',
    ),
    "a profile nobody has": (
        stages(
            stage("mql", f"enter: {{at_least: {{score: 40}}, profile: {{n: {{gt: 2, lt: 1}}}}}}, {LEAVE}")
        ),
        '16: stage "mql": nobody can fit the profile: no value of n is gt 2 and lt 1',
    ),
    "no way down": (
        stages(stage("mql", "enter: {at_least: {score: 40}}")),
        '16: stage "mql": nothing leaves it, however far the score falls. Add leave: with a lower line',
    ),
    "no hysteresis": (
        stages(stage("mql", "enter: {at_least: {score: 40}}, leave: {below: {score: 40}, to: lead}")),
        (
            '16: stage "mql": entered at score 40, left below 40: leads would come and go. '
            "Leave at a lower line, such as 30"
        ),
    ),
    "back at once": (
        stages(
            stage(
                "mql",
                f"enter: {{at_least: {{score: 40}}, from: [lead, recycled]}}, {LEAVE}, "
                "limit: {after: 9d, to: recycled}",
            ),
            stage("recycled", "enter: {event: lead.rejected}"),
        ),
        (
            '16: stage "mql": its time limit sends leads to "recycled", and the score may bring them '
            "back at once. Add after: to this line"
        ),
    ),
    "back for ever": (
        stages(
            stage("mql", f"enter: {AND_BACK}, {LEAVE}, limit: {{after: 9d, to: recycled}}"),
            stage("recycled", "enter: {event: lead.rejected}"),
        ),
        (
            '16: stage "mql": cycle: mql -> recycled (line 16) -> mql (line 16), for ever, for leads with '
            "score 25. Let one of these moves need an event, or lines that exclude each other"
        ),
    ),
    "a stage without a way in": (
        stages(MQL, stage("sal", "limit: {after: 9d, to: mql}")),
        '17: stage "sal": no way leads into it. Add enter:, or remove it',
    ),
    "a stage without a way out": (
        stages(MQL, stage("sal", "enter: {event: lead.accepted}")),
        (
            '17: stage "sal": nothing leads out of it: a lead stays for ever. '
            "Add limit:, leave:, or from: sal to a later stage"
        ),
    ),
}


@pytest.mark.parametrize(("sections", "warning"), DOUBTFUL.values(), ids=DOUBTFUL.keys())
def test_a_doubtful_model_is_warned_about(sections: dict[str, str], warning: str) -> None:
    """One sentence with file, line, rule, number and remedy; nothing else is doubted but the grades."""
    found = warnings(text_of(**sections))
    others = [each for each in found if ": grade: " not in each]
    assert any(warning in each for each in others), found
    assert len({each.split(":")[1] for each in others}) == 1, "the same line, or the model has two doubts"
    assert all(each.startswith("m.yaml:") for each in found)


@pytest.mark.parametrize(
    ("before", "after", "warning"),
    [
        (
            "dimension: engagement}",
            "dimension: engagement, between: [0, 20]}",
            '12: rule "a": one hit is worth 40, but group "did" stops at 20. Change one of them',
        ),
        ("A: 30", "A: 31", "9: grade: A needs fit 31, but the most is 30. Lower it"),
        (
            "half_life: 9d",
            "between: [0, 29]",
            "10: grade: 1 needs engagement 30, but the most is 29. Lower it",
        ),
        ("C: 10}", "C: 0}", "9: grade: nobody gets D: C begins at 0, and the least fit is 0. Raise it"),
        (
            "dimension: engagement}",
            "dimension: engagement, between: [3, 3]}",
            '7: group "did": it is always worth 3, whatever its rules say. Widen its bounds',
        ),
        (
            "dimensions:\n",
            "dimensions:\n  odd: {label: {en: Odd, de: Odd}, weight: 0}\n",
            '3: dimension "odd": it weighs 0, and no stage looks at it. Give it a weight, or remove it',
        ),
    ],
)
def test_bounds_grades_and_dimensions_are_doubted_too(before: str, after: str, warning: str) -> None:
    """The nearest bound that cuts is the one that is named; what cannot be reached is told at its line."""
    text = text_of(engagement=ACT, fit=FIT)
    assert text.count(before) == 1
    assert f"m.yaml:{warning}" in warnings(text.replace(before, after))


def test_stages_that_only_lead_to_each_other_are_told() -> None:
    """Both have a way in, and nobody is ever there to take it."""
    island = stage("sal", "enter: {event: lead.accepted, from: sql}, limit: {after: 9d, to: mql}")
    island += stage("sql", "enter: {event: lead.qualified, from: sal}, limit: {after: 9d, to: mql}")
    assert warnings(text_of(**stages(MQL, island))) == [
        f'm.yaml:{line}: stage "{name}": all ways into it begin in stages that nobody enters. Add from: lead'
        for line, name in ((17, "sal"), (18, "sql"))
    ]


@pytest.mark.parametrize(
    ("owner", "before"),
    [
        ('group "did"', "dimension: engagement}"),
        ('dimension "engagement"', "engagement: {label: {en: Engagement, de: Interesse}}"),
    ],
)
def test_a_floor_of_others_that_swallows_deductions_is_told(owner: str, before: str) -> None:
    """Where a group or a dimension cannot fall below 0, an unsubscribe costs only those who had points."""
    text = text_of(engagement=ACT + rule("b", "event: b, points: -9"), fit=FIT)
    assert before in text
    below = f"it takes 9 away, but {owner} never falls below 0: {IN_OTHERS}"
    assert warnings(text.replace(before, before[:-1] + ", between: [0, 60]}")) == [
        f'm.yaml:13: rule "b": {below}'
    ]


@pytest.mark.parametrize(
    "others",
    [
        rule("b", "event: b, points: 3, half_life: 9d"),
        rule("b", "event: a, points: -3"),
        rule("b", "event: a, points: 3, half_life: 9d, repeat: {times: 3, within: 1d}"),
        rule("b", "event: a, points: 3, half_life: 9d, after: {event: b, within: 1d}"),
    ],
)
def test_rules_that_do_not_pay_the_same_twice_are_left_alone(others: str) -> None:
    """Other events, deductions, and bonuses for repetition and sequence are what people mean."""
    assert warnings(text_of(fit=FIT, engagement=ACT + others)) == []


OVERLAPPING = [
    ("{properties.x: [1, 2]}", "{properties.x: {in: [2, 3]}}", True),
    ("{properties.x: 1}", "{properties.x: 2}", False),
    ("{page.path: {starts_with: /a}}", "{page.path: {starts_with: /a/b}}", True),
    ("{page.path: {starts_with: /a}}", "{page.path: {starts_with: /b}}", False),
    ("{page.path: /de/prices}", "{page.path: {matches: '^/(de|en)/prices'}}", True),
    ("{page.path: {matches: '^/a'}}", "{page.path: {matches: '^/ab'}}", False),
    ("{properties.n: {gte: 5}}", "{properties.n: {lt: 9}}", True),
    ("{properties.n: {gte: 5}}", "{properties.n: {lt: 5}}", False),
    ("{properties.x: 1}", "{properties.y: 2}", False),
    ("{properties.x: 1}", "{properties.x: 1, properties.y: 2}", True),
    ("{any: [{properties.x: 1}, {properties.y: 1}]}", "{properties.y: 1}", True),
    ("{not: {properties.x: 1}}", "{properties.x: 1}", False),
]


@pytest.mark.parametrize(("one", "other", "both"), OVERLAPPING)
def test_two_rules_pay_one_event_where_an_event_shows_it(one: str, other: str, both: bool) -> None:  # noqa: FBT001
    """An example made from what one rule asks for meets the other too; patterns are not guessed about."""
    rules = rule("a", f"event: a, points: 40, half_life: 9d, when: {one}")
    rules += rule("b", f"event: a, points: 3, half_life: 9d, when: {other}")
    assert any("and so does" in each for each in warnings(text_of(fit=FIT, engagement=rules))) is both


@pytest.mark.parametrize(
    "condition",
    [
        "{size: {gte: 50, lte: 50}}",
        "{size: {gt: 50, lt: 51}}",
        "{size: {gte: 50}, since: {lt: 2026-01-01}}",
        "{size: 50, not: {size: 51}}",
        "{size: [a, b], not: {size: a}}",
        "{size: {exists: true, not_eq: a}}",
        "{any: [{size: a}, {size: b}]}",
        "{path: {starts_with: /a, contains: b}}",
        "{city: {matches: '^a'}, not: {city: {matches: '^ab'}}}",
    ],
)
def test_what_can_be_met_is_left_alone(condition: str) -> None:
    """Narrow is not impossible."""
    assert warnings(text_of(**fit(condition))) == []


def test_the_example_that_two_rules_pay_is_shown() -> None:
    """Its author sees at once which event is meant."""
    rules = rule("a", "event: a, points: 40, half_life: 9d, when: {properties.x: [p, q]}")
    rules += rule("b", "event: [a, c], points: 3, half_life: 9d, when: {properties.x: q}")
    assert warnings(text_of(fit=FIT, engagement=rules)) == [
        f'm.yaml:15: rule "b": it pays a with properties.x "q", and so does rule "a". {TWO}'
    ]


def test_rules_of_two_dimensions_may_pay_one_event() -> None:
    """A trial begun is engagement and product use: that takes two rules."""
    text = text_of(fit=FIT, engagement=ACT + rule("b", "event: a, points: 3, half_life: 9d", group="used"))
    text = text.replace("dimensions:\n", "dimensions:\n  use: {label: {en: Use, de: Nutzung}}\n")
    text = text.replace("groups:\n", "groups:\n  used: {label: {en: Used, de: Genutzt}, dimension: use}\n")
    assert warnings(text) == []


def test_an_empty_list_is_told_with_the_rule_that_it_makes_pointless() -> None:
    """A list file with nothing but comments in it."""
    text = text_of(lists="  rivals: rivals.txt\n", **fit("{email_domain: {in: rivals}}"))
    reading = read_model(parse(text, file="m.yaml"), lists={"rivals": frozenset()})
    assert lint(reading) == [
        'm.yaml:12: list "rivals": it has no values. Add some, or remove it and the conditions that use it',
        f'm.yaml:17: rule "g": it can never hold: email_domain is to be in a list that is empty. {ANY}',
    ]


def test_warnings_come_in_the_order_of_the_file() -> None:
    """Whatever they are about."""
    text = text_of(
        stages=stage("mql", "enter: {at_least: {score: 40}}"),
        **fit("{n: {gt: 2, lt: 1}}"),
        lists="  odd: [x]\n",
    )
    lines = [int(each.split(":")[1]) for each in warnings(text)]
    assert len(lines) == 3
    assert lines == sorted(lines)
