"""What a situation that does not hold says: expected and seen, each as it would stand in the file."""

import pytest

from shared.scoring.situations.check import judge
from shared.scoring.situations.expectations import Difference
from shared.scoring.situations.read import load_situations
from tests.scoring.small import model, rule, stage

MODEL = model(
    engagement=rule("demo", "event: demo, points: 30, half_life: 10d")
    + rule("look", "event: look, points: 4, limit: {times: 2, per: day}"),
    fit=rule("firm", "when: {company: {exists: true}}, points: 12", group="who"),
    stages=stage("mql", "enter: {at_least: {score: 40}}, leave: {below: {score: 25}, to: lead}, dwell: 1d")
    + stage("recycled", "enter: {event: lead.rejected, from: mql}"),
)
SENTENCES = ["firm: +12", "demo, 2 days ago: +26", "look, 3 times (2 counted), last 1 hour ago: +8"]
HISTORY = """
situations:
  - name: one
    events:
      - {event: demo, age: 2d, email: a@firma.example, traits: {company: F}}
      - {event: look, age: 3h, times: 3, every: 1h}
      - {event: lead.rejected, kind: crm, age: 30m, properties: {reason: wrong time}}
    expect:
"""


def differences(expect: str) -> list[Difference]:
    found = load_situations(f"{HISTORY}      {expect}\n", file="s.yaml", model=MODEL)
    return list(judge(found.model, found.situations[0]).differences)


@pytest.mark.parametrize(
    "expect",
    [
        "score: 46",
        "score: {at_least: 46, at_most: 46}",
        "score: {at_most: 46}",
        "dimensions: {fit: 12, engagement: 34}",
        "grade: C1",
        "receipts: {look: 8, demo: 26, firm: 12}",
        "receipts: {firm: 12, demo: {points: 26, raw: 30, decayed: 26.12, newest: [2d]}, look: 8}",
        "receipts: {firm: 12, demo: 26, look: {events: 3, paid: 2, raw: 12, limited: 8, newest: [2h, 3h]}}",
        "stages: [lead, mql, recycled]",
        "stages: [lead, {stage: mql, cause: score, age: 2d}, {stage: recycled, reason: wrong time}]",
        'stages: [lead, {stage: mql, at: 2026-11-21}, {stage: recycled, at: "2026-11-23T11:30:00Z"}]',
        "causes: [identified, score, event]",
        "nearest: []",
        "next_change: never",
        f"sentences: {{en: {SENTENCES}}}",
    ],
)
def test_what_is_so_holds(expect: str) -> None:
    """Only what is written is compared, in any order, in the unit in which it is written."""
    assert differences(expect) == []


@pytest.mark.parametrize(
    ("expect", "what", "wanted", "seen"),
    [
        ("score: 47", "score", ("47",), ("46",)),
        ("score: {at_least: 47}", "score", ("at least 47",), ("46",)),
        ("score: {at_least: 10, at_most: 45}", "score", ("at least 10, at most 45",), ("46",)),
        ("dimensions: {fit: 13}", "dimension fit", ("13",), ("12",)),
        ("grade: A1", "grade", ("A1",), ("C1",)),
        (
            "receipts: {demo: 27, look: {points: 8, paid: 3}}",
            "receipts",
            ("demo: 27", "look: {points: 8, paid: 3}"),
            ("firm: 12", "demo: 26", "look: {points: 8, paid: 2}"),
        ),
        (
            "receipts: {firm: 12, demo: 26, look: {newest: [3h]}, score limit: 4}",
            "receipts",
            ("firm: 12", "demo: 26", "look: [3h]", "score limit: 4"),
            ("firm: 12", "demo: 26", "look: [2h, 10800s]"),
        ),
        (
            "sentences: {en: ['firm: +12', 'demo, 1 day ago: +26']}",
            "sentences en",
            ("firm: +12", "demo, 1 day ago: +26"),
            ("firm: +12", "demo, 2 days ago: +26", "look, 3 times (2 counted), last 1 hour ago: +8"),
        ),
        ("stages: [lead]", "stages", ("lead",), ("lead", "mql", "recycled")),
        (
            "stages: [lead, mql, {stage: recycled, reason: no, age: 1h}]",
            "stages",
            ("lead", "mql", "{stage: recycled, reason: no, age: 1h}"),
            ("lead", "mql", "{stage: recycled, reason: wrong time, age: 0h}"),
        ),
        (
            "stages: [lead, mql, {stage: recycled, at: 2026-11-22}]",
            "stages",
            ("lead", "mql", "{stage: recycled, at: 2026-11-22}"),
            ("lead", "mql", "{stage: recycled, at: 2026-11-23}"),
        ),
        ("causes: []", "causes", (), ("identified", "score", "event")),
        ("nearest: [{rule: demo, times: 2}]", "nearest", ("{rule: demo, times: 2}",), ()),
        ("next_change: {in: 5d, to: lead}", "next_change", ("{to: lead, in: 5d}",), ("never",)),
    ],
)
def test_what_is_not_so_is_told_on_both_dimension_of_group(
    expect: str, what: str, wanted: tuple[str, ...], seen: tuple[str, ...]
) -> None:
    """Line against line, what was seen written as the author would have written it."""
    assert differences(expect) == [Difference(what=what, expected=wanted, seen=seen)]


def test_a_model_whose_stages_never_rest_is_told_and_not_a_crash() -> None:
    """A limit of a minute and a way straight back: the situation says so."""
    restless = model(
        engagement=rule("demo", "event: demo, points: 30"),
        stages=stage(
            "mql", "enter: {at_least: {score: 20}, from: [lead, recycled]}, limit: {after: 1m, to: recycled}"
        )
        + stage("recycled", "enter: {event: lead.rejected, from: mql}"),
    )
    text = "situations: [{name: one, events: [{event: demo, age: 9d, user_id: u}], expect: {score: 30}}]"
    found = load_situations(text, file="s.yaml", model=restless)
    (difference,) = judge(restless, found.situations[0]).differences
    assert difference.expected == ("come to rest",)
    assert "never rest" in difference.seen[0]
