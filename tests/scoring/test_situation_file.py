"""What people are told about the mistakes in their situations, and what the engine is told by them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Misconfigured
from shared.scoring.situations.check import Situation
from shared.scoring.situations.read import load_situations
from tests.scoring.small import BASE, model, rule

DEPLOY = Path(__file__).parents[2] / "deploy"
HERE = Path(__file__).parent
MODEL = model(engagement=rule("demo", "event: demo, points: 30"))


def situation(rest: str, name: str = "one") -> str:
    return f"situations:\n  - name: {name}\n{rest}\n"


def load(text: str, **changes: Any) -> tuple[Situation, ...]:
    return load_situations(text, file="s.yaml", **{"model": MODEL, **changes}).situations


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("situations: []\n", "s.yaml:1: situations: expected 1 or more entries"),
        (
            "situatoins: []\n",
            's.yaml:1: unknown key "situatoins". Keys: model, now, situations. Did you mean',
        ),
        (
            situation("    expect: {score: 1}\n    evnts: []"),
            's.yaml:4: situation "one": unknown key "evnts". Keys: ',
        ),
        (situation("    stage: lead"), 's.yaml:2: situation "one": "expect" is missing'),
        (
            situation("    expect: {}"),
            's.yaml:3: situation "one", expect: nothing is expected. Write at least',
        ),
        (
            situation("    events: [{event: demo}]\n    expect: {score: 1}"),
            's.yaml:3: situation "one", event number 1: write either age: (how long ago) or at: (when)',
        ),
        (
            situation("    events: [{event: demo, age: 1d, at: 2026-01-01}]\n    expect: {score: 1}"),
            's.yaml:3: situation "one", event number 1: write either age: (how long ago) or at: (when)',
        ),
        (
            situation("    events:\n      - event: demo\n        age: 1y\n    expect: {score: 1}"),
            's.yaml:5: situation "one", event number 1, age: expected a span of time in seconds, ',
        ),
        (
            situation("    events: [{event: demo, age: 1h, times: 3, every: 1h}]\n    expect: {score: 1}"),
            's.yaml:3: situation "one", event number 1: the last of them happens after now, 2026-11-23T12:00',
        ),
        (
            situation("    events: [{event: demo, at: 2026-11-24}]\n    expect: {score: 1}"),
            's.yaml:3: situation "one", event number 1: happens after now, 2026-11-23T12:00:00+00:00. ',
        ),
        (
            situation("    events: [{event: demo, age: 5300w}]\n    expect: {score: 1}"),
            's.yaml:3: situation "one", event number 1, age: longer than 100 years. Use a shorter time',
        ),
        (
            situation("    now: 2201-01-01\n    expect: {score: 1}"),
            's.yaml:3: situation "one", now: expected a year from 1970 to 2200; seen: "2201-01-01"',
        ),
        (
            situation("    now: noon\n    expect: {score: 1}"),
            's.yaml:3: situation "one", now: expected a date or a time such as 2026-11-23T12:00:00Z; seen: ',
        ),
        (
            situation("    expect: {receipts: {dmo: 1}}"),
            's.yaml:3: situation "one", expect, receipts, dmo: unknown rule. Rules: demo, objection, ',
        ),
        (
            situation("    expect: {dimensions: {fitt: 1}}"),
            's.yaml:3: situation "one", expect, dimensions, fitt: unknown dimension. Dimensions: ',
        ),
        (
            situation("    expect: {nearest: [{rule: dem}]}"),
            's.yaml:3: situation "one", expect, nearest number 1, rule: unknown rule. Rules: demo. ',
        ),
        (situation("    expect: {grade: E5}"), 's.yaml:3: situation "one", expect, grade: '),
        (
            situation("    expect: {score: much}"),
            's.yaml:3: situation "one", expect, score: expected a whole number',
        ),
        (
            situation("    expect: {score: {least: 3}}"),
            's.yaml:3: situation "one", expect, score: unknown key "least"',
        ),
        (
            situation("    expect: {stages: [hero]}"),
            's.yaml:3: situation "one", expect, stages number 1: must be one',
        ),
        (
            situation("    expect: {stages: [{stage: lead, age: 1.5d}]}"),
            's.yaml:3: situation "one", expect, stages number 1, age: expected whole seconds, minutes, hours',
        ),
        (
            situation("    expect: {next_change: soon}"),
            's.yaml:3: situation "one", expect, next_change: expected never, or when: {in: 5d, to: lead}; ',
        ),
        (
            situation("    expect: {score: 1}", name='"\\e[31mred"'),
            's.yaml:2: situation "\x1b[31mred", name: expected letters, digits and signs that can be printed',
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_remedy(text: str, message: str) -> None:
    """Where it is, what was seen, what would work."""
    with pytest.raises(Misconfigured) as caught:
        load(text)
    assert [each for each in caught.value.problems if each.startswith(message)], caught.value.problems


def test_every_mistake_is_told_at_once() -> None:
    """Two situations with a mistake each are two sentences in the order of the file."""
    text = situation("    expect: {}") + "  - name: two\n    expect: {receipts: {x: 1}}\n"
    with pytest.raises(Misconfigured) as caught:
        load(text)
    assert [each.split(":")[1] for each in caught.value.problems] == ["3", "5"]


def test_a_model_written_out_wins_and_its_mistakes_have_lines_of_this_file() -> None:
    """`model: |` begins a model; what is wrong in it is told where it stands."""
    inner = "".join(f"  {line}\n" for line in BASE.splitlines())
    good = load_situations(f"model: |\n{inner}{situation('    expect: {score: 0}')}", file="s.yaml")
    assert good.model.name == "Small"
    assert load(f"model: |\n{inner}{situation('    expect: {score: 0}')}") == good.situations
    broken = inner.replace("C: 10", "C: 30")
    with pytest.raises(Misconfigured) as caught:
        load(f"# a line above\nmodel: |\n{broken}{situation('    expect: {score: 0}')}")
    assert [each.partition(" ")[0] for each in caught.value.problems] == ["s.yaml:11:"]


def test_without_any_model_there_is_nothing_to_say() -> None:
    """A file that is read for no model must bring one."""
    with pytest.raises(Misconfigured, match="no model"):
        load(situation("    expect: {score: 0}"), model=None)


def test_now_is_that_of_the_situation_else_of_the_file_else_a_fixed_moment() -> None:
    """Nothing depends on the clock of the machine."""
    nows = "  - {name: two, now: 2026-05-02, expect: {score: 0}}\n"
    at_noon = load(situation("    expect: {score: 0}") + nows)
    assert [each.now for each in at_noon] == [
        datetime(2026, 11, 23, 12, tzinfo=UTC),
        datetime(2026, 5, 2, tzinfo=UTC),
    ]
    later = load("now: 2027-01-01T10:00:00+01:00\n" + situation("    expect: {score: 0}") + nows)
    assert [each.now.hour for each in later] == [10, 0]


def test_events_are_in_order_of_time_then_of_the_file() -> None:
    """`times` and `every` repeat; the numbers of events follow their order."""
    text = situation(
        "    events: [{event: b, age: 1h, times: 2, every: 30m}, {event: c, age: 1h}, {event: a, age: 1d}]\n"
        "    expect: {score: 0}"
    )
    (found,) = load(text)
    assert [(each.event_id.int, each.name, found.now - each.occurred_at) for each in found.events] == [
        (1, "a", timedelta(days=1)),
        (2, "b", timedelta(hours=1)),
        (3, "c", timedelta(hours=1)),
        (4, "b", timedelta(minutes=30)),
    ]


def test_a_stay_begins_when_the_file_says_else_with_the_first_event() -> None:
    """Without either, it begins now."""
    stays = (
        "    stage: mql\n    in_stage_for: 3d\n"
        "    events: [{event: demo, age: 1d}]\n    expect: {score: 30}\n"
        "  - {name: two, stage: mql, events: [{event: demo, age: 1d}], expect: {score: 30}}\n"
        "  - {name: three, expect: {score: 0}}"
    )
    found = load(situation(stays))
    assert [(each.begin.stage, each.now - each.begin.since) for each in found] == [
        ("mql", timedelta(days=3)),
        ("mql", timedelta(days=1)),
        ("visitor", timedelta(0)),
    ]


@pytest.mark.parametrize(
    "path", sorted([*(DEPLOY / "config").glob("*.situations.yaml"), *(HERE / "situations").glob("*.yaml")])
)
def test_every_file_of_situations_names_its_schema(path: Path) -> None:
    """The first line tells the editor where the schema is, and it is there."""
    modeline = path.read_text().splitlines()[0]
    named = modeline.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == DEPLOY / "schemas" / "situations.v1.json"
