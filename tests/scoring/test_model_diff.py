"""How two models differ, in words a marketer uses."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.scoring.definition.conditions import All, AnyOf, Not, Test
from shared.scoring.file.read import load_model
from shared.scoring.words.conditions import condition_words
from shared.scoring.words.model_diff import Difference, model_diff
from tests.scorer.conftest import MODEL
from tests.scoring import small

NO_LISTS: Mapping[str, frozenset[str]] = {}
CONFIG = Path(__file__).resolve().parents[2] / "deploy" / "config"


def differences(before: str, after: str) -> list[str]:
    """Each difference in one line."""
    first, second = (load_model(text, file="m.yaml").model for text in (before, after))
    return [line for one in model_diff((first, NO_LISTS), (second, NO_LISTS)) for line in told(one)]


def told(one: Difference) -> list[str]:
    head = f"{one.change} {one.kind} {one.name}".strip()
    return [f"{head}: {each.what}: {each.before} → {each.after}" for each in one.details] or [head]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("points: 15", "points: 20", "changed rule click: points: 15 → 20"),
        ("points: 10", "points: 12", "changed rule company: points: 10 → 12"),
        ("half_life: 30d", "half_life: 60d", "changed rule click: half-life: 30d → 60d"),
        ("    half_life: 30d\n", "", "changed rule click: half-life: 30d → "),
        ("times: 3, per: week", "times: 5, per: day", "changed rule view: limit: 3 per week → 5 per day"),
        ("times: 3, per: week", "times: 3, per: 6h", "changed rule view: limit: 3 per week → 3 per 6h"),
        (
            "times: 3, per: week",
            "times: 1, per: ever, for_each: properties.paper",
            "changed rule view: limit: 3 per week → 1 ever for each properties.paper",
        ),
        ("between: [0, 25]", "between: [0, 30]", "changed group web: between: 0 to 25 → 0 to 30"),
        ("between: [0, 40]", "between: [5, 40]", "changed dimension fit: between: 0 to 40 → 5 to 40"),
        (
            "event: email.clicked",
            "event: email.opened",
            "changed rule click: event: email.clicked → email.opened",
        ),
        (
            "company: {exists: true}",
            "company: {contains: GmbH}",
            'changed rule company: when: company exists → company contains "gmbh"',
        ),
        ("A: 30, B: 20", "A: 35, B: 20", "changed grade: fit A: 30 → 35"),
        ('"1": 40', '"1": 45', "changed grade: engagement 1: 40 → 45"),
        (
            "at_least: {score: 30}",
            "at_least: {score: 40}",
            "changed stage mql: enter: score at least 30, from lead → score at least 40, from lead",
        ),
        (
            "below: {score: 20}",
            "below: {score: 25}",
            "changed stage mql: leave: score below 20, to recycled → score below 25, to recycled",
        ),
        ("to: recycled}", "to: recycled}\n    dwell: 2d", "changed stage mql: dwell:  → 2d"),
        (
            "to: recycled}",
            "to: recycled}\n    limit: {after: 7d, to: recycled}",
            "changed stage mql: limit:  → 7d, to recycled",
        ),
        ("name: test", "name: other", "changed model: name: test → other"),
        (
            "Form sent {times}",
            "Form filled in",
            "changed rule form: label (en): Form sent {times} → Form filled in",
        ),
    ],
)
def test_each_property_is_told_old_and_new(old: str, new: str, expected: str) -> None:
    """One edit, one line; nothing else is said to differ."""
    assert old in MODEL
    assert differences(MODEL, MODEL.replace(old, new, 1)) == [expected]


def test_the_same_model_spelled_otherwise_does_not_differ() -> None:
    """Comments, units and quotes are no difference."""
    other = "# ours\n" + MODEL.replace("half_life: 14d", "half_life: 2w").replace(
        "name: test", 'name: "test"'
    )
    assert differences(MODEL, other) == []


def test_rules_that_come_and_go_are_told_whole() -> None:
    """What was added is told with all its properties."""
    without = re.sub(r"  form:\n(    .*\n)+", "", MODEL)
    [*_, label] = added = differences(without, MODEL)
    assert added[:4] == [
        "added rule form: kind:  → engagement",
        "added rule form: event:  → form.submitted",
        "added rule form: points:  → 30",
        "added rule form: group:  → direct",
    ]
    assert "Formular" in label
    assert differences(MODEL, without)[2] == "removed rule form: points: 30 → "


def test_lists_are_compared_by_their_values() -> None:
    """How many came and went, and the first of them; the rule that uses the list is the same."""
    text = small.BASE + (
        "lists: {rivals: rivals.txt}\n"
        "fit:\n" + small.rule("rival", "points: -10, when: {email_domain: {in: rivals}}", group="who")
    )
    old = {"rivals": frozenset({"a.example", "b.example"})}
    new = {"rivals": frozenset({"b.example", *(f"c{n}.de" for n in range(9))})}
    models = [(load_model(text, file="m.yaml", lists=lists).model, lists) for lists in (old, new)]
    [found] = model_diff(models[0], models[1])
    assert told(found) == [
        "changed list rivals: 9 added:  → c0.de, c1.de, c2.de, c3.de, c4.de, … (9 values)",
        "changed list rivals: 1 removed: a.example → ",
    ]


def test_the_order_of_stages_is_a_difference() -> None:
    """Stages lie on a path; rules in another order give receipts in another order."""
    recycled = "  recycled:\n    label: {en: Recycled, de: Zurueck}\n"
    earlier = MODEL.replace(recycled, "").replace("  mql:\n", f"{recycled}  mql:\n")
    assert "changed order stages: order: lead, mql, recycled → lead, recycled, mql" in differences(
        MODEL, earlier
    )
    click = re.search(r"  click:\n(?:    .*\n)+", MODEL)
    assert click
    moved = MODEL.replace(click[0], "").replace("fit:\n  company:", f"{click[0]}fit:\n  company:")
    assert differences(MODEL, moved) == [
        "changed order engagement rules: order: view, click, form → view, form, click"
    ]


def test_an_event_that_enters_a_stage_is_told_with_its_condition() -> None:
    """What else the event must be is part of the line."""
    by_event = "enter: [{event: deal.won, when: {properties.amount: {gte: 100}}, after: 1d}]"
    before = small.BASE + "stages:\n" + small.stage("customer", by_event)
    after = before.replace("100", "200")
    line = 'event deal.won where kind is "crm" and properties.amount >= {}, after 1d, from lead'
    assert differences(before, after) == [
        f"changed stage customer: enter: {line.format(100)} → {line.format(200)}"
    ]


def test_points_by_value_repeats_and_sequences_have_words() -> None:
    """Every kind of rule can be told."""
    rules = (
        small.rule("table", "event: a, points: {by: properties.form, values: {x: 3, y: 5}, otherwise: 1}")
        + small.rule("rate", "event: b, points: {by: properties.n, each: 2, between: [0, 9]}")
        + small.rule("often", "event: c, points: 1, repeat: {times: 3, within: 7d}")
        + small.rule("then", "event: '*', points: 1, after: {event: [a, b], when: {kind: web}, within: 2d}")
    )
    found = differences(small.BASE, small.BASE + "engagement:\n" + rules)
    assert "added rule table: points:  → by properties.form: x 3, y 5, otherwise 1" in found
    assert "added rule rate: points:  → 2 per properties.n, 0 to 9, otherwise 0" in found
    assert "added rule often: repeat:  → 3 times within 7d" in found
    assert 'added rule then: after:  → a or b where kind is "web", within 2d' in found
    assert "added rule then: event:  → any" in found


@pytest.mark.parametrize("name", ["scoring.yaml", "scoring.demo.yaml"])
def test_the_models_of_this_house_can_be_told(name: str) -> None:
    """Against nothing: every part of a real model has words, and a model does not differ from itself."""
    from services.scorer.models import model_source

    source = model_source.read(CONFIG / name)
    pair = (source.model.model, source.lists)
    assert model_diff(pair, pair) == []
    assert len(model_diff((small.model().model, NO_LISTS), pair)) > 30


def test_conditions_are_read_aloud() -> None:
    """Nested conditions keep their brackets; lists have a name or their first values."""
    a = Test(field="a", operator="eq", operand=2.0)
    b = Test(field="b", operator="in", operand=frozenset({"x", "y"}))
    c = Test(field="c", operator="exists", operand=False)
    assert condition_words(All(parts=(a, AnyOf(parts=(b, Not(part=c)))))) == (
        "a is 2 and (b in [x, y] or not (c is missing))"
    )
    assert condition_words(b, {frozenset({"x", "y"}): "letters"}) == "b in letters"
    assert condition_words(All(parts=())) == ""
