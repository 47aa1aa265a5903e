"""What the measurement of the engine scores, and what it says about it."""

from collections import Counter
from itertools import pairwise

from benchmarks.engine import MODEL, grow, measure
from benchmarks.engine_figures import Engine, figures
from benchmarks.history import histories
from services.scorer.models import model_source
from shared.events import PAGE_VIEWED
from shared.scoring.definition.fields import event_getter

LIVES = histories(120, seed=1)
EVENTS = [event for life in LIVES for event in life]
FORTY = model_source.read(MODEL).model


def test_the_model_has_forty_rules_of_every_kind() -> None:
    """Limits, repetitions, sequences, tables, rates, half-lives and points that stay; five dimensions."""
    rules = FORTY.engagement
    assert len(rules) + len(FORTY.fit) == 40
    assert all(any(getattr(rule, part) for rule in rules) for part in ("limit", "repeat", "after"))
    assert any(rule.points.values for rule in rules)
    assert any(rule.points.each for rule in rules)
    assert {rule.half_life_s is None for rule in rules} == {True, False}
    assert any(not rule.event.names for rule in rules)
    assert len(FORTY.dimensions) == 5


def test_histories_are_in_order_and_the_same_in_every_run() -> None:
    """Each lead's events come as they happened, each with an id of its own."""
    for life in LIVES:
        assert all(one.occurred_at <= other.occurred_at for one, other in pairwise(life))
    assert len({event.event_id for event in EVENTS}) == len(EVENTS)
    assert histories(120, seed=1) == LIVES


def test_histories_flatter_nobody() -> None:
    """Many paths, some seen once; several kinds of events; one in twenty that no rule names."""
    path = event_getter("page.path")
    assert path is not None
    paths = Counter(path(event) for event in EVENTS if event.name == PAGE_VIEWED)
    assert len(paths) > 100
    assert sum(times == 1 for times in paths.values()) > 30
    assert paths.most_common(1)[0][1] < 0.3 * paths.total()
    named = frozenset[str]().union(*(rule.event.names for rule in FORTY.engagement))
    assert sum(event.name not in named for event in EVENTS) > len(EVENTS) / 20
    assert {event.kind for event in EVENTS} == {"web", "form", "email", "product"}
    assert 5 < len(EVENTS) / len(LIVES) < 15


def test_every_figure_stands_beside_another() -> None:
    """A short run gives all lines: the reference first, then what is compared with it."""
    measured = measure(FORTY, LIVES[:20], rounds=1, lengths=(10, 20))
    lines = list(figures(measured))
    assert lines[0].what.startswith("reading the events")
    assert all(line.beside for line in lines)
    assert any("40 rules" in line.what and "% of reading" in line.beside for line in lines)


def test_rates_one_after_the_other_add_up() -> None:
    """Reading 200 and replaying 100 thousand events a second is doing both with 67 thousand."""
    per_s = dict.fromkeys(
        ("count", "refold", "each", "live", "fast_replay", "standing", "encode", "decode"), 1000.0
    ) | {"read": 200_000.0, "replay": 100_000.0}
    engine = Engine(rules=40, events=10, leads=1, per_s=per_s, best=per_s, state_bytes=(1, 2), growth=())
    assert [line.measured for line in figures(engine) if line.what.startswith("read from")] == [
        "66,667 events/s"
    ]


def test_memory_does_not_grow_with_history() -> None:
    """Ten times the events of one lead, once every rule was met, take the same memory and the same state."""
    short, long = grow(FORTY, EVENTS, (2 * len(EVENTS), 20 * len(EVENTS)))
    assert long.events == 10 * short.events
    assert long.state_bytes < 1.1 * short.state_bytes
    assert long.peak_bytes < 1.5 * short.peak_bytes
